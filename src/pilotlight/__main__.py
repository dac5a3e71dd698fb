"""`python -m pilotlight` is the command `pilotlight`."""

from pilotlight.cli.main import main

main()
