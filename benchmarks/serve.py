"""One uvicorn worker for one contender: `python -m benchmarks.serve MODULE:APP PORT`.

Every contender runs under the same server settings, those of `colonnade serve`. The worker ends when its standard input
does, so that it can't outlive the benchmark however that ends.
"""

from __future__ import annotations

import os
import sys
import threading

import uvicorn

from colonnade.cli.serving import HTTP_PROTOCOL


def main() -> None:
    """Serve the application named on the command line until told to stop."""
    target, port = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(
        target,
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http=HTTP_PROTOCOL,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


def _end_with_parent() -> None:
    # The parent never writes: reading returns only when its end of the pipe is closed.
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    main()
