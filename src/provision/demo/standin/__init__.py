"""The stand-in (not conda): a Miniconda look-alike and a small channel, made from what this machine has."""
