"""What the project's tree is, what a host has of it, and the difference: pure."""
