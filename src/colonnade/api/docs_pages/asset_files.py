"""The pages' own files: scripts, styles and the favicon, from the package's `assets` folder.

What is vendored lies in a folder that carries its version, so its address never means anything else and a browser may
keep it for a year without asking. What is Colonnade's own (`own/`) changes under the same address and is asked for
again each time, which costs a 304.
"""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS = Path(__file__).with_name("assets")
SWAGGER_UI = "swagger-ui-5.35.0"
REDOC = "redoc-2.5.4"
OWN = "own"

_KEEP_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class DocsAssets(StaticFiles):
    """Serve the `assets` folder: ETag, HEAD, ranges and 304 are Starlette's, the cache rule is ours."""

    def __init__(self) -> None:
        super().__init__(directory=ASSETS)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Give Starlette's answer for one file (200 or 304) with how long a browser may keep it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = Path(full_path).parent.name in {SWAGGER_UI, REDOC}
        response.headers["cache-control"] = _KEEP_FOREVER if versioned else _ASK_AGAIN
        return response
