"""The `colonnade` command: serve an application, migrate its database, fill it, look at it.

Every command imports what it needs when it runs, so that `colonnade --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from colonnade.cli.failure import CommandError, told

__all__ = ["CommandError", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code.

    Args:
        arguments: the words after the program's name; those of the process when None.

    Raises:
        SystemExit: 0 when it went well, 1 when the command says no (`db status` behind), 2 with one line on stderr
            when it could not be done.
    """
    from colonnade.cli.commands import commands

    try:
        commands(list(arguments) if arguments is not None else None)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        line = told(error)
        if line is None:
            raise
        print(f"colonnade: {line}", file=sys.stderr)
        raise SystemExit(2) from None
