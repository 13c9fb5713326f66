"""The command that the stand-in (not conda) installs as PREFIX/bin/conda; it stands alone."""
