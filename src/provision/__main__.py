"""``python -m provision`` is the same as ``provision``."""

from provision.cli.main import main

main()
