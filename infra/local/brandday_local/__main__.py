"""The commands behind `make run` and `make demo`: `python -m brandday_local run|demo`."""

import signal
import sys
from types import FrameType

from brandday_local import demo, serve
from brandday_local.steps import console

COMMANDS = {"run": serve.main, "demo": demo.main}


def main(arguments: list[str]) -> int:
    """Run a command; its exit code."""
    command = COMMANDS.get(arguments[0]) if len(arguments) == 1 else None
    if command is None:
        console.print(f"usage: python -m brandday_local {'|'.join(COMMANDS)}")
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)  # as Ctrl-C: whatever was started is stopped on the way out
    try:
        return command()
    except KeyboardInterrupt:
        return 130
    except RuntimeError as failure:
        console.print(f"\n{failure}", style="red", markup=False)
        return 1


def leave(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by leaving."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
