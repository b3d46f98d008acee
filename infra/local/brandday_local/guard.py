"""Runs a program for as long as its owner lives: `python guard.py PROGRAM ARGUMENT...`.

The owner holds the other end of standard input. When that closes, because the owner stopped or died in whatever
way, the program and all it started are stopped. That works the same on Linux and macOS, and leaves no pid file behind.
Nothing but the standard library is needed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

PATIENCE_SECONDS = 5.0
"""How long a program may take to stop by itself."""


def main(command: list[str]) -> int:
    """Run the command until it ends, the owner is gone or somebody terminates the guard; return its exit code."""
    over = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def watch_owner() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        over.set()

    def watch_program() -> None:
        program.wait()
        over.set()

    for watch in (watch_owner, watch_program):
        threading.Thread(target=watch, daemon=True).start()
    over.wait()
    return stop(program)


def stop(program: subprocess.Popen[bytes]) -> int:
    """Stop the program and its children, politely first; return its exit code."""
    signal_group(program.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(PATIENCE_SECONDS)
    # whatever is left of the group: the program itself, or children it did not wait for
    signal_group(program.pid, signal.SIGKILL)
    return program.wait()


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to a process group, which may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
