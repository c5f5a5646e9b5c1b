"""The route of a batch."""

from __future__ import annotations

from fastapi import APIRouter

from colonnade.api.batch import Batch
from colonnade.api.endpoint import Endpoint
from colonnade.api.endpoint_route import add_route
from colonnade.schemas.batch import BatchBody, BatchResults
from colonnade.services.idempotency import IdempotencyKeys


def batch_router(keys: IdempotencyKeys | None = None) -> APIRouter:
    """Make the router of `POST /batch`.

    Args:
        keys: where the answers to requests with an `Idempotency-Key` are kept; None when batches take none.
    """
    router = APIRouter(prefix="/batch", tags=["batch"], redirect_slashes=False)
    endpoint = Endpoint(
        "POST",
        "",
        Batch(),
        "Do several operations in one transaction",
        BatchResults,
        BatchBody,
        status=200,
        is_governed=True,
        also={
            404: "No such row, for one of the operations",
            412: "A row is not as an operation's `If-Match` demands",
            428: "An operation's resource wants a precondition",
        },
    )
    add_route(router, endpoint, "batch", [], keys)
    return router
