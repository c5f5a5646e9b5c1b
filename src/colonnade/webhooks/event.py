"""An event: what happened to which row, as subscribers are told of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from colonnade.core.json import dump_json
from colonnade.jobs.request import JobRequest

PUBLISH = "colonnade.webhooks.publish"
DELIVER = "colonnade.webhooks.deliver"

_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "updated",
    "delete": "deleted",
    "restore": "restored",
}


def event_request(plural: str, action: str, data: bytes, now: datetime) -> JobRequest:
    """Ask for an event to be published: the payload is made now, and what is signed and sent are these very characters.

    Args:
        plural: of the resource, e.g. `orders`.
        action: of the change.
        data: JSON: the row as the API shows it, or its id alone when it is gone.
        now: the time of the change.
    """
    name = f"{plural}.{_DONE[action]}"
    payload = b'{"type":%b,"timestamp":%b,"data":%b}' % (dump_json(name), dump_json(now), data)
    return JobRequest(PUBLISH, {"event": name, "payload": payload.decode()})


def is_wanted(event: str, patterns: Iterable[str]) -> bool:
    """Tell whether a subscription to `patterns` (`orders.created`, `orders.*` or `*`) is one to an event."""
    return not {event, event.partition(".")[0] + ".*", "*"}.isdisjoint(patterns)
