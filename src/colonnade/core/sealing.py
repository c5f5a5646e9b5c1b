"""Sealed text: what a client carries for us and can neither read nor change.

The construction is SIV (RFC 5297) made of HMAC-SHA-256 and SHAKE-256: the tag authenticates the text together with what it
is bound to, and seeds the key stream that hides the text. Equal texts give equal seals, and nothing has to be random.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import shake_256

_TAG_BYTES = 16
_SEALED = re.compile(r"[A-Za-z0-9_-]+")


class UnsealableError(ValueError):
    """A text was not sealed by this key, or not for this purpose."""


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """Seals texts with one key.

    Args:
        key: secret, the same in every worker of an application.
    """

    key: bytes

    def close(self, text: bytes, purpose: bytes) -> str:
        """Seal a text.

        Args:
            text: what is hidden.
            purpose: what the text is bound to; opening it for anything else fails.

        Returns:
            Letters, digits, `-` and `_`: fit for a URL as it is.
        """
        tag = self._tag(text, purpose)
        return urlsafe_b64encode(tag + self._mask(text, tag)).rstrip(b"=").decode()

    def open(self, sealed: str, purpose: bytes) -> bytes:
        """Give back the text that was sealed for this purpose.

        Raises:
            UnsealableError: it was not, or it was changed.
        """
        if not _SEALED.fullmatch(sealed) or len(sealed) % 4 == 1:
            raise UnsealableError
        raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        tag, text = raw[:_TAG_BYTES], self._mask(raw[_TAG_BYTES:], raw[:_TAG_BYTES])
        if not hmac.compare_digest(tag, self._tag(text, purpose)):
            raise UnsealableError
        return text

    def _tag(self, text: bytes, purpose: bytes) -> bytes:
        # The length keeps the two apart: no text can be moved from the one into the other.
        return hmac.digest(self.key, b"tag%d:%s%s" % (len(purpose), purpose, text), "sha256")[:_TAG_BYTES]

    def _mask(self, text: bytes, tag: bytes) -> bytes:
        stream = shake_256(hmac.digest(self.key, b"mask" + tag, "sha256")).digest(len(text))
        return bytes(one ^ other for one, other in zip(text, stream, strict=True))
