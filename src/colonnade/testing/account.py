"""The account that a test server runs under when the tests run as root.

PostgreSQL refuses to run as root, and a database server has no need of it. A continuous-integration container is root
all the same, so servers drop to an unprivileged account there, which then has to be able to reach the binaries and
the folder.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

CANDIDATES = ("postgres", "mysql", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of this machine: numeric user id and group id."""

    uid: int
    gid: int


def unprivileged_account(preferred: str = "nobody") -> Account | None:
    """Find the account to run a server under.

    Args:
        preferred: the account's name that is tried first.

    Returns:
        None when this process is not root (the server then runs as this process's own user), else the first account
        that exists.

    Raises:
        LookupError: this process is root and the machine has none of the accounts.
    """
    if os.geteuid() != 0:
        return None
    for name in (preferred, *CANDIDATES):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise LookupError(
        f"this process is root, and the machine has none of the accounts {preferred}, {', '.join(CANDIDATES)}"
    )


def can_enter(folder: Path, account: Account | None) -> bool:
    """Say whether `account` may enter `folder` and every folder above it, by their mode bits.

    None stands for this process itself, which is taken to be able to: it is about to use the folder anyway.
    """
    if account is None:
        return True
    folder = folder.resolve()
    return all(_may_search(step.stat(), account) for step in (folder, *folder.parents))


def _may_search(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
