"""What FastAPI, Starlette and an application's own endpoints raise, said as problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from colonnade.api.methods import allowed_methods
from colonnade.api.problems import problem_response
from colonnade.api.route_table import path_below_root
from colonnade.core.errors import (
    BodyTooLargeError,
    Fault,
    ForbiddenError,
    InvalidBodyError,
    InvalidParameterError,
    MalformedBodyError,
    MediaTypeError,
    MethodNotAllowedError,
    NoSuchPathError,
    ProblemError,
    UnauthenticatedError,
)


def answer_with_problems(app: FastAPI) -> None:
    """Have every refusal of an application answered as a problem document (RFC 9457), its own endpoints' included.

    `create_app` does so. `install` leaves an existing application's own answers as its clients know them; call this
    beside it where those are to change, too.

    Args:
        app: before its first request; its handlers of `HTTPException` and `RequestValidationError` are replaced.
    """
    app.add_exception_handler(ProblemError, answer_problem_error)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)


def problem_reply(error: ProblemError, scope: Scope) -> Response:
    """Make the response of a problem."""
    status, headers, body = problem_response(error, scope)
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def answer_problem_error(request: Request, error: Exception) -> Response:
    """Answer a `ProblemError`; an exception handler as Starlette takes it."""
    assert isinstance(error, ProblemError)  # registered for it
    return problem_reply(error, request.scope)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for it
    if error.status_code in _BODILESS or error.status_code < 200:
        return Response(status_code=error.status_code, headers=_without_content(error.headers))
    return problem_reply(problem_of_http(error, request.scope), request.scope)


def _without_content(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (headers or {}).items() if name.lower() not in _OF_A_BODY}


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for it
    return problem_reply(refused_by_fastapi(error), request.scope)


# A client reads no body after these (RFC 9110 §6.4.1); one that is sent all the same becomes part of the next answer.
_BODILESS = frozenset({204, 205, 304})
_OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding"})

_BY_STATUS: dict[int, type[ProblemError]] = {
    400: MalformedBodyError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    413: BodyTooLargeError,
    415: MediaTypeError,
}


def problem_of_http(error: HTTPException, scope: Scope) -> ProblemError:
    """Say an `HTTPException` as a problem: Starlette's own, or one that an endpoint raised.

    A detail that is no text stands in the member `data`, as FastAPI would have encoded it.
    """
    status = error.status_code
    detail: Any = error.detail  # FastAPI allows whatever is JSON
    if status == 404 and scope.get("route") is None:
        return NoSuchPathError()
    if status == 405:
        methods = ", ".join(allowed_methods(scope["app"], path_below_root(scope)))
        return MethodNotAllowedError(f"Allowed are: {methods}.", headers={"Allow": methods})
    problem = _BY_STATUS.get(status, _generic(status))(detail if isinstance(detail, str) else None)
    problem.headers |= error.headers or {}
    if not isinstance(detail, str):
        problem.members["data"] = jsonable_encoder(detail)
    return problem


def _generic(status: int) -> type[ProblemError]:
    """Any other status that an endpoint of the user's raises; it has no page, and its type is `about:blank`."""
    title = HTTPException(status).detail
    return type("EndpointError", (ProblemError,), {"code": f"HTTP{status}", "status": status, "title": title})


def refused_by_fastapi(error: RequestValidationError) -> ProblemError:
    """Say what FastAPI refused as a problem: its places become pointers and parameter names, no value is repeated."""
    faults = [_fault(item) for item in error.errors()]
    if any(fault.parameter is None for fault in faults):
        return InvalidBodyError("The body does not fit.", faults=faults)
    return InvalidParameterError("A parameter does not fit.", faults=faults)


def _fault(item: dict[str, Any]) -> Fault:
    place, *path = item["loc"]
    if place == "body":
        return Fault(item["type"], item["msg"], pointer="".join(f"/{part}" for part in path))
    return Fault(item["type"], item["msg"], parameter=".".join(str(part) for part in path) or str(place))
