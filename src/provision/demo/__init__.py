"""A demonstration on an embedded host, and the stand-in (not conda) that it installs."""
