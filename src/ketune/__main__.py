"""``python -m ketune`` is the command ``ketune``."""

from ketune.cli import main

main()
