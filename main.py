"""`python main.py`: serve the reference application (options as in `colonnade serve`)."""

import sys

from colonnade.cli import main

if __name__ == "__main__":
    main(["serve", *sys.argv[1:]])
