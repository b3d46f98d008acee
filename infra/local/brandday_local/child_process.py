"""Servers that never outlive the program that started them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"

# Runs before the server in the same process (exec keeps it): asks Linux for SIGKILL when the parent dies,
# however it dies. Done by a small program, not by `preexec_fn`, which may hang where the parent has threads.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent has gone already")
os.execvp(sys.argv[2], sys.argv[2:])
"""


class MissingTool(RuntimeError):
    """Something that this machine must have is not there; the message says what and how to install it."""


class ServerDidNotStart(RuntimeError):
    """A server ended, or did not answer in time; the message ends with the last lines it wrote."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class ChildServer:
    """An HTTP server in a process of its own: `start` waits until it answers, `stop` until it has ended.

    On Linux the kernel also kills it when the thread that called `start` ends: start it from one that stays.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._folder = folder
        self._log: IO[bytes] | None = None
        self._last_words = "(nothing)"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, for clients on this machine."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, within_seconds: float = 60) -> None:
        """Start it and return once it answers an HTTP request; raise ServerDidNotStart if it does not."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *self._command],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,  # Ctrl-C is the parent's to handle, which then stops its servers in order
        )
        deadline = time.monotonic() + within_seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                ended = self._process.poll()
                self.stop()
                why = "did not answer in time" if ended is None else f"ended with exit code {ended}"
                raise ServerDidNotStart(f"{self.name} {why}. It wrote:\n{self.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it and everything it started; doing so twice, or before `start`, is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        for how, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with suppress(ProcessLookupError):  # already gone; `wait` collects it
                os.killpg(process.pid, how)  # its own session, so its group is its process id
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        self._last_words = self.last_words()
        if self._log is not None:
            self._log.close()
            self._log = None

    def last_words(self, characters: int = 4000) -> str:
        """Return the end of what it wrote to its output."""
        if self._log is None:
            return self._last_words
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - characters))
        return self._log.read().decode(errors="replace").strip() or "(nothing)"

    def _answers(self) -> bool:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=2)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        return self._process is not None and self._process.poll() is None
