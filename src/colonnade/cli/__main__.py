"""`python -m colonnade.cli`: the same as the `colonnade` command."""

from colonnade.cli import main

main()
