"""The AWS emulator (ministack): started on the loopback address, and the only AWS that anything here ever talks to."""

import os
import sys
from pathlib import Path

from brandday_local.ports import LOOPBACK
from brandday_local.processes import Service
from brandday_local.servers import start_server

REGION = "us-east-1"
ACCESS_KEY = "test"  # the emulator takes it for the owner of the account, who may do everything
SECRET_KEY = "test"  # noqa: S105 - no secret


def environment(endpoint_url: str) -> dict[str, str]:
    """Environment of every program that may call AWS: nothing of the user's own AWS settings, one explicit endpoint."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("AWS_", "SAM_"))}
    binaries = str(Path(sys.executable).parent)
    return kept | {
        # `sam build` wants the Python of the template's runtime first on the path: the one that runs this
        "PATH": os.pathsep.join([binaries, kept.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(Path(sys.prefix)),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",  # there is no API limit to spare
        "NO_PROXY": ",".join(filter(None, [kept.get("NO_PROXY"), LOOPBACK, "localhost"])),
    }


def start(port: int, folder: Path) -> Service:
    """Start the emulator and wait until it answers; ServerDidNotStart with its log if it does not."""
    scratch = folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    endpoint_url = f"http://{LOOPBACK}:{port}"
    settings = {
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": LOOPBACK,  # in the addresses it hands out
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",  # functions are processes here, not containers
        "LAMBDA_ACCOUNT_CONCURRENCY": str(most_environments()),
        "AUTH": "true",  # functions may do what their policies in the template allow, and no more
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
        "STATE_DIR": str(folder / "state"),
        "TMPDIR": str(scratch),
        "LOG_LEVEL": "INFO",
    }
    return start_server(
        "the AWS emulator",
        [sys.executable, "-m", "ministack"],
        environment(endpoint_url) | settings,
        folder / "emulator.log",
        ready=f"{endpoint_url}/_ministack/health",
    )


def most_environments() -> int:
    """How many requests are worked on at once; more are answered 429.

    The emulator starts a process for each: without a bound a burst of shoppers makes so many that their starting
    alone keeps the machine busy for minutes. Half are for the API, half for the stream, the queue and the schedule.
    """
    return max(16, 8 * (os.cpu_count() or 1))
