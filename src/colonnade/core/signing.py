"""Signatures of webhooks: by them a subscriber knows that a request is ours, and of now (Standard Webhooks 1.0)."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode

PREFIX = "whsec_"
MIN_BYTES, MAX_BYTES = 24, 64


def read_secret(secret: str) -> bytes:
    """Decode a secret: `whsec_` and the Base64 of 24 to 64 bytes.

    Raises:
        ValueError: it is none.
    """
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise ValueError(f"write {PREFIX} and the Base64 of {MIN_BYTES} to {MAX_BYTES} random bytes")
    return key


def signed_headers(secret: str, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Make the three headers of a request.

    Args:
        secret: the subscription's.
        message: id of the message, the same in each attempt: a subscriber passes over one that it has seen.
        timestamp: of this attempt, in seconds.
        body: as it is sent.
    """
    signed = b"%b.%d.%b" % (message.encode(), timestamp, body)
    signature = b64encode(hmac.digest(read_secret(secret), signed, "sha256")).decode()
    return {"webhook-id": message, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
