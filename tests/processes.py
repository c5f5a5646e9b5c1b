"""A small application served by the real command, in processes of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

NOTES = """
    import asyncio, os, pathlib
    from sqlalchemy import String
    from sqlalchemy.orm import Mapped, mapped_column
    from colonnade import Base, Database, IntegerId, Resource, Settings, create_app

    class Note(IntegerId, Base):
        __tablename__ = "notes"
        text: Mapped[str] = mapped_column(String(200))

    settings = Settings()
    database = Database.from_settings(settings, Base.metadata)
    app = create_app([Resource(Note)], settings=settings, database=database)

    @app.get("/pid")
    async def pid() -> int:
        return os.getpid()

    @app.get("/slow")
    async def slow() -> str:
        pathlib.Path("begun").touch()
        while not pathlib.Path("go-on").exists():
            await asyncio.sleep(0.01)
        return "done"
"""


@dataclass
class Served:
    """A running server.

    Attributes:
        process: of the command; with several workers it is their parent.
        root: address of the server.
        log: file with its output.
    """

    process: subprocess.Popen[bytes]
    root: str
    log: Path

    def wait_until_ready(self) -> None:
        """Wait until it answers; fail with its output when it ends instead."""
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.root}/health/ready").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@contextmanager
def served(folder: Path, *options: str, program: str = NOTES, **settings: str) -> Iterator[Served]:
    """Run `colonnade serve` on a free port until the block ends.

    Args:
        folder: of the application, which is written there, and of its log.
        options: of the command.
        program: the application's source; `app` is served.
        settings: of the environment.
    """
    (folder / "notes.py").write_text(textwrap.dedent(program))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    database = f"sqlite:///{folder / 'notes.db'}"
    environment = {**os.environ, "ENV": "development", "LOG_FORMAT": "json", "DATABASE_URL": database}
    environment |= {"RATE_LIMIT": "off", "PYTHONWARNINGS": "ignore", **settings}
    command = [sys.executable, "-m", "colonnade.cli", "serve", "--app", "notes:app", "--port", str(port), *options]
    log = folder / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            server = Served(process, f"http://127.0.0.1:{port}", log)
            server.wait_until_ready()
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(40)
