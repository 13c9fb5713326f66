"""The project's local venv, read without running anything of it, and judged against its files and hosts."""
