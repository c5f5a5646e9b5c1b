"""One secret of the application, many keys: each purpose has its own, so that nothing made for one passes for another."""

from __future__ import annotations

import hmac


def derive_key(secret: bytes, purpose: bytes) -> bytes:
    """Derive the key of one purpose (HKDF-Expand with one block, RFC 5869 §2.3).

    Args:
        secret: the application's `SECRET_KEY`.
        purpose: unlike any other.

    Returns:
        32 bytes.
    """
    return hmac.digest(secret, b"colonnade " + purpose + b"\x01", "sha256")
