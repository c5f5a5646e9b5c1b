"""Everything that can go wrong, as one tree.

ColonnadeError
├── DeclarationError                 a model, schema or resource is declared wrongly (raised at import, never on the wire)
└── ProblemError                     answered as a problem document (RFC 9457)
    ├── RequestError                 CLN1xx  the request can't be read
    │   ├── MalformedQueryError      CLN100  400
    │   ├── MalformedBodyError       CLN101  400
    │   ├── MalformedHeaderError     CLN102  400
    │   ├── NoSuchPathError          CLN110  404
    │   ├── MethodNotAllowedError    CLN111  405
    │   ├── BodyTooLargeError        CLN120  413
    │   └── MediaTypeError           CLN121  415
    ├── InvalidError                 CLN2xx  the request can be read, its values do not fit
    │   ├── InvalidParameterError    CLN200  422
    │   ├── InvalidBodyError         CLN201  422
    │   ├── RuleError                CLN202  422  a business rule of the application
    │   └── KeyReusedError           CLN203  422  an Idempotency-Key of another request
    ├── AccessError                  CLN3xx  who may
    │   ├── UnauthenticatedError     CLN300  401
    │   ├── ForbiddenError           CLN301  403
    │   └── RateLimitedError         CLN310  429  too many requests in too short a time
    ├── StateError                   CLN4xx  the stored rows do not allow it
    │   ├── NotFoundError            CLN400  404
    │   ├── UniqueError              CLN410  409
    │   ├── ForeignKeyError          CLN411  409  a foreign key
    │   ├── ConflictError            CLN412  409  a business rule about stored rows
    │   ├── CheckError               CLN420  422
    │   ├── RequiredError            CLN421  422  NOT NULL
    │   ├── StaleVersionError        CLN430  409  the body's version is not the row's
    │   ├── PreconditionFailedError  CLN431  412
    │   ├── PreconditionRequiredError  CLN432  428
    │   └── KeyInUseError            CLN440  409  the first request of an Idempotency-Key is still at work
    └── ServerError                  CLN5xx  not the client's fault
        ├── InternalError            CLN500  500
        ├── OutcomeUnknownError      CLN514  503  the connection was lost at COMMIT: stored or not, nobody can tell
        └── UnavailableError         nothing was stored, try again after `Retry-After`
            ├── DatabaseAwayError    CLN510  503
            ├── PoolExhaustedError   CLN511  503
            ├── StatementTimeoutError  CLN512  503
            ├── ContentionError      CLN513  503  deadlocks and serialization failures, retries used up
            └── IdentityProviderError  CLN520  503  an outside identity provider is away, or does not make sense

A code is never given to another error, not even when its own goes away. Each has its page under `docs/errors/`.
A `detail` says what happened; the class's `hint` says what usually helps. Neither ever carries SQL, a driver's
message, a path, a trace or the value of a field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request, and where it is.

    Args:
        code: stable and greppable, e.g. `"string_too_long"`.
        message: one sentence for a person; never the rejected value.
        pointer: JSON Pointer into the body (RFC 6901), e.g. `"/price"`.
        parameter: name of a query, path or header parameter; one of `pointer` and `parameter` is given.
    """

    code: str
    message: str
    pointer: str | None = None
    parameter: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Give the member of a problem's `errors` list: the place first, then code and message."""
        place = {"pointer": self.pointer} if self.parameter is None else {"parameter": self.parameter}
        return {**{k: v for k, v in place.items() if v is not None}, "code": self.code, "message": self.message}


class ColonnadeError(Exception):
    """The root: `except ColonnadeError` catches whatever this library raises on purpose."""


class DeclarationError(ColonnadeError):
    """A model, schema, resource or setting is declared in a way that can't work; the text says how to mend it."""


class ProblemError(ColonnadeError):
    """An error that a client is told about as `application/problem+json` (RFC 9457 §3).

    Args:
        detail: what happened, in one or two sentences.
        faults: the single things that are wrong, each with its place.
        headers: further response headers, e.g. `Allow` or `Retry-After`.

    Attributes:
        members: further members of the document (RFC 9457 §3.2).
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    hint: ClassVar[str] = ""

    def __init__(
        self,
        detail: str | None = None,
        *,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.faults = tuple(faults)
        self.members: dict[str, Any] = {}
        self.headers = dict(headers or {})
        self.detail = " ".join(part for part in (detail or self.title + ".", self.hint) if part)
        super().__init__(self.detail)


class RequestError(ProblemError):
    """The request can't be read; nothing was looked up or changed."""


class MalformedQueryError(RequestError):
    """The query string is not one that this API can read: bad UTF-8, mixed paging modes, a broken cursor."""

    code, status, title = "CLN100", 400, "Malformed query"


class MalformedBodyError(RequestError):
    """The body can't be parsed: JSON syntax, UTF-8, duplicate keys, NaN, too deep."""

    code, status, title = "CLN101", 400, "Malformed body"
    hint = "Send one JSON value in UTF-8, without duplicate keys, NaN or Infinity, nested at most 64 deep."


class MalformedHeaderError(RequestError):
    """A request header does not follow its grammar."""

    code, status, title = "CLN102", 400, "Malformed header"


class NoSuchPathError(RequestError):
    """No route has this path."""

    code, status, title = "CLN110", 404, "No such path"
    hint = "Paths have no trailing slash; /docs lists them all."


class MethodNotAllowedError(RequestError):
    """The path exists, the method does not; `Allow` lists those that do."""

    code, status, title = "CLN111", 405, "Method not allowed"


class BodyTooLargeError(RequestError):
    """The body is larger than the application takes."""

    code, status, title = "CLN120", 413, "Body too large"
    hint = "Send less at once, or use the bulk routes in several calls."


class MediaTypeError(RequestError):
    """The body's media type is not one that the route reads."""

    code, status, title = "CLN121", 415, "Unsupported media type"
    hint = "Send JSON in UTF-8, uncompressed, with 'Content-Type: application/json'."


class InvalidError(ProblemError):
    """The request can be read, but its values do not fit; `faults` names each place."""


class InvalidParameterError(InvalidError):
    """A path, query or header parameter has an unknown name or a value that does not fit."""

    code, status, title = "CLN200", 422, "Invalid parameter"


class InvalidBodyError(InvalidError):
    """The body parses as JSON but does not fit the schema or the column."""

    code, status, title = "CLN201", 422, "Invalid body"


class RuleError(InvalidError):
    """A business rule of the application refuses the values; raise it in a service's hook."""

    code, status, title = "CLN202", 422, "Rule broken"


class KeyReusedError(InvalidError):
    """The `Idempotency-Key` came with another request before: another body or query."""

    code, status, title = "CLN203", 422, "Idempotency key reused"
    hint = "Make a new key for each new request, and repeat a request with its own body."


class AccessError(ProblemError):
    """Who may: the principal is missing or may not."""


class UnauthenticatedError(AccessError):
    """No principal, or one whose credentials no longer hold.

    Args:
        detail: what happened.
        error: what is wrong with a token that was sent, e.g. `invalid_token` (RFC 6750 §3.1).
    """

    code, status, title = "CLN300", 401, "Not authenticated"

    def __init__(self, detail: str | None = None, *, error: str | None = None) -> None:
        challenge = "Bearer" if error is None else f'Bearer error="{error}"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class ForbiddenError(AccessError):
    """The principal is known and may not do this."""

    code, status, title = "CLN301", 403, "Forbidden"


class RateLimitedError(AccessError):
    """This client or account has asked too often; it may ask again after `Retry-After` seconds (RFC 6585 §4)."""

    code, status, title = "CLN310", 429, "Too many requests"
    hint = "Wait for as many seconds as 'Retry-After' says."

    def __init__(
        self, detail: str | None = None, *, retry_after: int = 1, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after), **(headers or {})})


class StateError(ProblemError):
    """The rows that are stored do not allow it."""


class NotFoundError(StateError):
    """No row has this id, or it is out of the principal's reach."""

    code, status, title = "CLN400", 404, "Not found"


class UniqueError(StateError):
    """Another row has the same unique value."""

    code, status, title = "CLN410", 409, "Already taken"


class ForeignKeyError(StateError):
    """A foreign key: the row referred to is missing, or this row is still referred to."""

    code, status, title = "CLN411", 409, "Reference broken"


class ConflictError(StateError):
    """A business rule about stored rows refuses the change, e.g. out of stock; raise it in a service's hook."""

    code, status, title = "CLN412", 409, "Conflict"


class CheckError(StateError):
    """A CHECK constraint of the table refuses the values."""

    code, status, title = "CLN420", 422, "Constraint violated"


class RequiredError(StateError):
    """A column that must have a value would have none."""

    code, status, title = "CLN421", 422, "Value required"


class StaleVersionError(StateError):
    """The version that the body names is not the row's: another change came first."""

    code, status, title = "CLN430", 409, "Version conflict"
    hint = "Read the row again, and decide anew on what it has become."


class PreconditionFailedError(StateError):
    """A header's precondition does not hold of the row (RFC 9110 §15.5.13)."""

    code, status, title = "CLN431", 412, "Precondition failed"
    hint = "Read the row again, and send the change with its new ETag."


class PreconditionRequiredError(StateError):
    """The resource is changed only by those who say which version they have seen (RFC 6585 §3)."""

    code, status, title = "CLN432", 428, "Precondition required"
    hint = "Send 'If-Match' with the ETag of the row as you have read it, or its 'version' in the body."


class KeyInUseError(StateError):
    """The first request with this `Idempotency-Key` is still at work."""

    code, status, title = "CLN440", 409, "Idempotency key in use"
    hint = "Send the same request again in a moment; it will be answered as the first one."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class ServerError(ProblemError):
    """Not the client's fault."""


class InternalError(ServerError):
    """Anything unforeseen; the log has the whole story under the request id."""

    code, status, title = "CLN500", 500, "Internal error"
    hint = "The request id leads to the whole story in the server's log."


class OutcomeUnknownError(ServerError):
    """The connection was lost while a COMMIT was under way: the change is stored as a whole, or not at all."""

    code, status, title = "CLN514", 503, "Outcome unknown"
    hint = "Look whether it was stored before you send it again, or send it with an 'Idempotency-Key'."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class UnavailableError(ServerError):
    """The request was sound and nothing of it was stored; it may be sent again after `Retry-After` seconds."""

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class DatabaseAwayError(UnavailableError):
    """The database can't be reached, or the connection was lost before anything was stored."""

    code, status, title = "CLN510", 503, "Database away"


class PoolExhaustedError(UnavailableError):
    """Every pooled connection was busy for the whole of `POOL_TIMEOUT`."""

    code, status, title = "CLN511", 503, "Too busy"


class StatementTimeoutError(UnavailableError):
    """A statement or a wait for a lock took longer than its limit and was cancelled."""

    code, status, title = "CLN512", 503, "Took too long"


class ContentionError(UnavailableError):
    """A deadlock or serialization failure came back after every retry."""

    code, status, title = "CLN513", 503, "Too much contention"


class IdentityProviderError(UnavailableError):
    """An outside identity provider does not answer, or not as OpenID Connect has it."""

    code, status, title = "CLN520", 503, "Identity provider away"
