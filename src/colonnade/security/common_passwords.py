"""Passwords that are guessed first, because many people choose them (NIST SP 800-63B §5.1.1.2)."""

from __future__ import annotations

from pathlib import Path

from colonnade.core.errors import Fault, InvalidBodyError


class CommonPasswords:
    """A list of passwords that nobody may choose.

    Args:
        file: one a line, UTF-8, without regard to case, e.g. the ten thousand of
            https://github.com/danielmiessler/SecLists; None for an empty list.
    """

    def __init__(self, file: Path | None = None) -> None:
        text = "" if file is None else file.read_text(encoding="utf-8", errors="replace")
        self._known = frozenset(line.strip().casefold() for line in text.splitlines())

    def refuse(self, password: str, pointer: str) -> None:
        """Refuse a password that is on the list.

        Args:
            password: in clear.
            pointer: its place in the body, e.g. `/password`.

        Raises:
            InvalidBodyError: CLN201.
        """
        if password.casefold() in self._known:
            fault = Fault("password_common", "Many people have this password; choose another.", pointer=pointer)
            raise InvalidBodyError("The password is a common one.", faults=[fault])
