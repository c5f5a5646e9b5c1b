"""The grammar of single settings: lists, words, origins, addresses, rates and URLs, each checked by itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from urllib.parse import urlsplit

from pydantic import SecretStr

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
# What stands before a URL's host: a password that nobody has escaped may hold anything, an @ and a ? too.
_CREDENTIALS = re.compile(r"(?P<user>[^:/?@]*)(?::(?P<password>.*))?@", re.DOTALL)
_PORT_AND_QUERY = re.compile(r"\d*/.*\?", re.DOTALL)
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)
_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")


def split_list(value: object) -> object:
    """Split a comma list into a tuple of trimmed, non-empty items; anything but a string passes unchanged."""
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


def lowered(value: object) -> object:
    """Trim and lower-case a word, so that `LOG_LEVEL=INFO` is understood."""
    return value.strip().lower() if isinstance(value, str) else value


def check_rate(value: object) -> str | None:
    """Read a rate such as `100/minute`; `off` is None.

    Raises:
        ValueError: the text is neither.
    """
    text = str(value).strip().lower() if value is not None else "off"
    if text == "off":
        return None
    if not _RATE.fullmatch(text):
        raise ValueError("write a count and a unit, e.g. 100/minute (second, minute, hour, day), or off")
    return text


def check_origin(origin: str) -> str:
    """Check one browser origin: scheme, host and perhaps a port, nothing else (RFC 6454 §6.2).

    Raises:
        ValueError: it is `*`, which browsers refuse together with credentials, or no origin.
    """
    if origin == "*":
        raise ValueError("* can't stand with credentials, which this API always allows; list the origins")
    parts = urlsplit(origin)
    bare = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or origin != bare:
        raise ValueError(f"{origin!r} is no origin; write e.g. https://example.org, without a path or a slash")
    return origin.lower()


def check_public_url(url: str) -> str:
    """Check the address at which people find an application: scheme, host, perhaps a port and a path; no slash at its end.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or url != bare:
        raise ValueError(f"{url!r} is no address; write e.g. https://shop.example.org")
    return url.rstrip("/")


def is_local(url: str) -> bool:
    """Tell whether an address leads whoever opens it to his own machine."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761 §6.3
    return address.is_loopback or address.is_unspecified


def check_prefix(prefix: str) -> str:
    """Check the path that every resource stands under: empty, or segments each begun by a slash.

    Raises:
        ValueError: it ends with a slash, does not begin with one, or has characters that a path would escape.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("write a path such as /api, without a slash at its end")
    return prefix


def check_host(host: str) -> str:
    """Check one name that an application answers to: without scheme and port; `*.example.org` for those below, `*` for any.

    Raises:
        ValueError: it is none, and no request would ever carry it.
    """
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host; write e.g. shop.example.org, without https:// and without a port")
    return host.lower()


def check_address(address: str) -> str:
    """Check one proxy's address or network, e.g. `10.0.0.1` or `10.0.0.0/8`.

    Raises:
        ValueError: it is neither.
    """
    try:
        return (
            str(ipaddress.ip_network(address, strict=False)) if "/" in address else str(ipaddress.ip_address(address))
        )
    except ValueError:
        raise ValueError(f"{address!r} is no IP address or network, e.g. 10.0.0.1 or 10.0.0.0/8") from None


def check_sender(sender: str) -> str:
    """Check who mail comes from: an address, or `Name <address>`.

    Raises:
        ValueError: it is neither.
    """
    try:
        ((name, address),) = getaddresses([sender])
        return str(Address(name, addr_spec=address))
    except (ValueError, MessageError):
        raise ValueError("write an address, or a name and an address: Shop <shop@example.org>") from None


def url_of(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    """Make a check that a URL has one of these schemes; a driver after `+` is left for the database to judge."""

    def check(url: SecretStr) -> SecretStr:
        scheme, separator, _ = url.get_secret_value().strip().partition("://")
        if not separator or scheme.partition("+")[0].lower() not in schemes:
            raise ValueError(f"write a URL that begins with {' or '.join(f'{name}://' for name in schemes)}")
        return SecretStr(url.get_secret_value().strip())

    return check


def masked_url(url: str) -> str:
    """Hide a URL's password, and its query, which may carry one too."""
    head, separator, rest = url.partition("://")
    found = _CREDENTIALS.match(rest)
    if found is None:
        return f"{head}{separator}{rest.partition('?')[0]}"
    user, password = found["user"], found["password"]
    if password is not None and _PORT_AND_QUERY.match(password):
        return f"{head}{separator}********"  # a port, a path and a query with an @, or a strange password: who knows
    place = rest[found.end() :].partition("?")[0]
    return f"{head}{separator}{user}{'' if password is None else ':********'}@{place}"
