"""The same work by us and by the peers, in one run: ``python -m bench``, as root on Linux."""
