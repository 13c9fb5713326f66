"""Solves an environment on this machine, for hosts of another kind; needs the extra ``lock``."""
