"""What a log line looks like, whoever writes it, and what never stands in one."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest
import structlog

from colonnade.core.settings import Settings
from colonnade.core.trace import Trace, set_trace
from colonnade.observation.logs import formatter, logging_config
from colonnade.observation.redaction import MASK, redact
from colonnade.observation.request_log import RequestLine, RequestLog


def written(message: str, *arguments: object, **extra: Any) -> dict[str, Any]:
    """Give the JSON line of a record."""
    exception = extra.pop("exc_info", None)
    record = logging.getLogger("shop").makeRecord(
        "shop", logging.WARNING, __file__, 1, message, arguments, exception, extra=extra
    )
    line: dict[str, Any] = json.loads(formatter("json").format(record))
    return line


def test_a_line_of_the_standard_library_is_structured() -> None:
    """S37: a record of the standard library becomes time, level, logger, event and what was given along."""
    line = written("stock of %s is low", "Lamp", left=3)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stock of Lamp is low", "level": "warning", "logger": "shop", "left": 3}


def test_a_line_says_in_which_request_it_was_written() -> None:
    """S37: whatever is logged while a request is answered has its id and its route."""
    trace = Trace("abc-1")
    trace.route = "/api/v1/products"
    set_trace(trace)
    try:
        line = written("hello")
    finally:
        set_trace(None)
    assert (line["request_id"], line["route"]) == ("abc-1", "/api/v1/products")


def test_an_exception_is_one_line() -> None:
    """S37: a traceback is a member of its line, not forty lines of its own."""
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError as error:
        line = written("broken", exc_info=(type(error), error, error.__traceback__))
    assert "ZeroDivisionError: by nothing" in line["exception"]


def test_an_exception_shown_to_a_person_tells_no_values() -> None:
    """A console's traceback leaves out local variables, and masks what an error's text tells."""
    try:
        given = "hunter22"
        raise ValueError(f"{len(given)} can't reach https://shop:hunter33@example.com")
    except ValueError as error:
        raised = (type(error), error, error.__traceback__)
    record = logging.getLogger("shop").makeRecord("shop", logging.ERROR, __file__, 1, "broken", (), raised)
    shown = formatter("console").format(record)
    assert "ValueError: 8 can't reach https://" in shown
    assert "hunter" not in shown


@pytest.mark.parametrize(
    "name", ["password", "new_password", "access_token", "Authorization", "cookie", "api_key", "hashed"]
)
def test_secrets_are_masked_by_their_name(name: str) -> None:
    """S37, S66: what is given under the name of a secret is not written."""
    assert written("hello", **{name: "hunter22"})[name] == "********"
    assert written("hello", body={name: "hunter22"})["body"] == {name: "********"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("can't reach postgresql://api:hunter22@db/shop", "can't reach postgresql://api:********@db/shop"),
        ("redis://:hunter22@cache:6379/0", "redis://:********@cache:6379/0"),
        ("sent Authorization: Bearer eyJhbGciOi.J9.x", "sent Authorization: Bearer ********"),
        ('{"password": "hunter22", "name": "ada"}', '{"password": "********", "name": "ada"}'),
        ("password=hunter22&x=1", "password=********&x=1"),
        ("SELECT id FROM users WHERE token_version = $1", "SELECT id FROM users WHERE token_version = $1"),
    ],
)
def test_secrets_inside_a_text_are_masked(text: str, shown: str) -> None:
    """S37, S66: a URL's password, a bearer token or `password=...` inside a message or a traceback is masked."""
    assert redact(text) == shown


def test_structlog_comes_out_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: an event of structlog's has the same members as a record of the standard library's."""
    config = logging_config(Settings(env="test", log_format="json", _env_file=None))  # type: ignore[call-arg]
    assert pickle.loads(pickle.dumps(config)) == config  # a worker gets it through a pipe
    record = logging.LogRecord("shop", logging.INFO, "", 0, {"event": "sold", "pieces": 2}, (), None)
    record._logger, record._name = structlog.get_logger(), "info"
    line = json.loads(formatter("json").format(record))
    assert (line["event"], line["pieces"]) == ("sold", 2)


def test_lines_of_requests_are_written_in_pieces_that_stay_whole() -> None:
    """S37: each write is of whole lines and at most 4,096 bytes, so that workers can share a pipe."""
    written: list[str] = []
    log = RequestLog("json", written.append)
    line = RequestLine(1_790_000_000.25, "r" * 32, "GET", "/products/{id}", "/products/7", 500, 0.0123, 1, "account:7")
    log._waiting.extend([line] * 99)
    log.add(line)  # a failure is written at once
    assert all(len(piece) <= 4096 and piece.endswith("\n") for piece in written)
    lines = [json.loads(row) for piece in written for row in piece.splitlines()]
    assert (len(lines), lines[0]["timestamp"], lines[0]["ms"]) == (100, "2026-09-21T14:13:20.250000Z", 12.3)


def test_a_path_that_has_no_bytes_is_written_all_the_same() -> None:
    """S37: a lone surrogate in a path, which UTF-8 can't write, does not lose the line."""
    written: list[str] = []
    log = RequestLog("json", written.append)
    log.add(RequestLine(1.0, "r", "GET", None, "/\udcff", 500, 0.1, 0, ""))
    assert json.loads(written[0])["path"] == "'/\\udcff'"


@pytest.mark.parametrize("library", ["aiosqlite", "httpx"])
def test_libraries_that_tell_values_are_kept_quiet(library: str) -> None:
    """S66: at LOG_LEVEL=debug no driver writes statements with their values, and no client addresses with their queries."""
    config = logging_config(Settings(env="test", log_level="debug", _env_file=None))  # type: ignore[call-arg]
    assert (config["root"]["level"], config["loggers"][library]["level"]) == ("DEBUG", "WARNING")


def test_uvicorn_has_no_access_log_of_its_own() -> None:
    """The request line stands in its place; uvicorn keeps one where it sees a handler, the root's included."""
    access = logging_config(Settings(log_format="json"))["loggers"]["uvicorn.access"]
    assert (access["handlers"], access["propagate"]) == ([], False)


def test_secrets_are_masked_however_deep_they_stand() -> None:
    """S66: inside lists, tuples and dicts, whose keys may be anything; and no line is lost for them."""
    line = written(
        "tried",
        urls=["postgresql://u:sekret@h/d"],
        rows=[{"password": "sekret"}, ({"of": {"token": "sekret"}},)],
        counts={404: 2, ("GET", "/x"): "Bearer sekretsekret", "api_key": 1},
    )
    assert "sekret" not in json.dumps(line)
    assert line["counts"]["404"] == 2
    assert line["counts"]["api_key"] == MASK


def test_a_list_that_holds_itself_has_an_end() -> None:
    """S37: whatever was given along, the line is written."""
    endless: list[Any] = ["a"]
    endless.append(endless)
    assert written("tried", what=endless)["what"][0] == "a"
