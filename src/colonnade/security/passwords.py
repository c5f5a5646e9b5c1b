"""Passwords: hashed by Argon2id, off the event loop, and never kept in clear."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

# OWASP's first recommendation (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
_HASHER = PasswordHash((Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1),))

# A hash takes some 25 ms of a core: two at once leave room for requests, and a flood of them waits in line here.
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")

UNUSABLE = "!"
"""In the place of a hash: no password fits it. For accounts that sign in by other means only."""

# Of a password that nobody knows. An account that is not there costs as much as one that is, so that the time of an answer
# does not tell them apart; a test holds its parameters to the hasher's.
DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$TZ5aFbnemXhJUtnE/LTuoQ$FdwdtKDZxO9TdL5J4s7KQRi+F4luBJyVe7oaW1VkF4w"


class Checked(NamedTuple):
    """What came of a password.

    Attributes:
        right: it is the one that was hashed.
        rehashed: its hash by today's parameters, where the stored one was made by others.
    """

    right: bool
    rehashed: str | None = None


async def hash_password(password: str) -> str:
    """Hash a password with a salt of its own.

    Args:
        password: in clear.

    Returns:
        Algorithm, parameters, salt and hash as one text (PHC string format), at most 255 characters.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, password)


async def check_password(password: str, hashed: str | None) -> Checked:
    """Tell whether a password is the one that was hashed; as slow as hashing it, whatever the answer is.

    Args:
        password: in clear.
        hashed: as stored; None for an account that is not there.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _check, password, hashed)


def _check(password: str, hashed: str | None) -> Checked:
    try:
        right, rehashed = _HASHER.verify_and_update(password, hashed or DUMMY_HASH)
    except UnknownHashError:
        _HASHER.verify(password, DUMMY_HASH)
        return Checked(right=False)
    return Checked(right and hashed is not None, rehashed)
