"""The processes in which the local stack runs its functions, for tests that kill them."""

import subprocess
import sys
from collections.abc import Iterator

from brandday_local.stack import LocalStack

STARTED_SECONDS = 5
"""How long an environment runs before it is killed. One that dies while it starts makes the emulator kill all others of
its function, too, and start them anew: again and again, if the machine is slow. Lambda does nothing of the kind.
"""


def environments_of(stack: LocalStack) -> Iterator[tuple[int, str]]:
    """Process ids and function names of the environments that the stack's emulator has started a while ago.

    The emulator gives each environment a process of its own that knows its name as in Lambda, from its environment
    variables. Other stacks may run on this machine: the endpoint tells them apart.
    """
    everything = "-axEww" if sys.platform == "darwin" else "axeww"
    listed = subprocess.run(
        ["ps", everything, "-o", "pid=,etime=,command="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        words = line.split()
        if f"AWS_ENDPOINT_URL={stack.endpoint_url}" in words and _seconds(words[1]) >= STARTED_SECONDS:
            for word in words:
                if word.startswith("AWS_LAMBDA_FUNCTION_NAME="):
                    yield int(words[0]), word.partition("=")[2]


def _seconds(elapsed: str) -> int:
    """Seconds of what ps calls elapsed time: [[days-]hours:]minutes:seconds."""
    days, _, clock = elapsed.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return int(days or 0) * 86_400 + seconds
