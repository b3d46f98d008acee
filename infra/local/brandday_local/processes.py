"""Programs that live and die with this process."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brandday_local import guard


@dataclass(frozen=True)
class Service:
    """A program in the background, its output in a log file. Stopped by `stop`, and when this process ends."""

    name: str
    log: Path
    _guard: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path | None = None
    ) -> "Service":
        """Start the program, in a folder of its own if one is given, under a guard that stops it after this process."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                # by its file, without site packages: found from any folder, and there at once
                [sys.executable, "-I", "-S", guard.__file__, *command],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the owner alone, who stops things in order
            )
        return cls(name, log, process)

    @property
    def pid(self) -> int:
        """Process id of the guard."""
        return self._guard.pid

    def ended(self) -> bool:
        """Whether the program is gone."""
        return self._guard.poll() is not None

    def last_words(self, lines: int = 25) -> str:
        """The end of the log, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) or "(nothing)"

    def stop(self) -> None:
        """Stop the program and wait until it is gone: the guard sees to it, by force after a few seconds."""
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()
        self._guard.wait()


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
    """Run a program to its end, output to a log file; RuntimeError with the end of the log if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        words = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        shown = " ".join([Path(command[0]).name, *command[1:3]])
        raise RuntimeError(f"`{shown}` failed with exit code {done.returncode}:\n{words}\n(all of it: {log})")


def alive(pid: int) -> bool:
    """Whether a process with this id runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
