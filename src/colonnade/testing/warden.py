"""Keep one server process exactly as long as the process that asked for it.

This file is run as a script (``python -I -S warden.py ORDER``), never imported: it stands between a test process and
a server. It prints the server's process id, then waits for the first of two things. The server ends: the warden ends
with its exit status. Or the warden's standard input closes, which the kernel does for it however the test process
died (SIGKILL included): the server is ended, and its folder is removed.

Why a process in between, and not ``PR_SET_PDEATHSIG`` on the server itself: that signal is sent when the *thread*
that started the child ends, so a server restarted from a worker thread would die with a pool's idle thread; it exists
on Linux only; and it leaves the data folder behind. It is still set here, from the warden's one main thread, for the
case that the warden is killed.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
SECONDS_TO_END = 5.0


def death_signal_setter(number: int) -> Callable[[], None] | None:
    """Give what a child runs before exec so that it gets signal `number` when the warden dies (Linux only)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, number)


def start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the ordered server under the ordered account, its output going to the ordered log file."""
    uid, gid = order["account"] or (None, None)
    with Path(order["log"]).open("ab") as log:
        return subprocess.Popen(
            order["command"],
            cwd=order["folder"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            # Run after the account was changed: a change of credentials clears the death signal.
            # No other thread exists yet.
            preexec_fn=death_signal_setter(order["signal"]),  # noqa: PLW1509
        )


def end_when_abandoned(server: subprocess.Popen[bytes], order: dict[str, Any], abandoned: threading.Event) -> None:
    """Wait until the test process has gone, then end the server: softly first, by force when that takes too long."""
    # Not sys.stdin: a buffer that a daemon thread holds locked can't be closed when the interpreter ends.
    os.read(0, 1)
    abandoned.set()
    server.send_signal(order["signal"])
    try:
        server.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        server.kill()


def main() -> int:
    """Carry out the order in the first argument, a JSON object; give the server's exit status."""
    order = json.loads(sys.argv[1])
    # A terminal's Ctrl-C is for the test process, which then says how its servers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = start(order)
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    abandoned = threading.Event()
    threading.Thread(target=end_when_abandoned, args=(server, order, abandoned), daemon=True).start()
    status = server.wait()
    if abandoned.is_set():
        shutil.rmtree(order["folder"], ignore_errors=True)
    return abs(status)


if __name__ == "__main__":
    sys.exit(main())
