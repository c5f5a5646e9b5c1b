"""Passwords: hashed by Argon2id, off the event loop, and never kept in clear."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

# OWASP's first recommendation (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
_HASHER = PasswordHash((Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1),))

# A hash takes some 25 ms of a core: two at once leave room for requests, and a flood of them waits in line here.
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """Hash a password with a salt of its own.

    Args:
        password: in clear.

    Returns:
        Algorithm, parameters, salt and hash as one text (PHC string format), at most 255 characters.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, password)


async def verify_password(password: str, hashed: str) -> bool:
    """Tell whether a password is the one that was hashed; as slow as hashing it."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.verify, password, hashed)
