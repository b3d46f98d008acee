"""What is started here never outlives whoever started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brandday_local.ports import LOOPBACK, free_port
from brandday_local.processes import Service, alive
from brandday_local.servers import ServerDidNotStart, start_server

OWNER = """
import os, sys, time
from pathlib import Path
from brandday_local.processes import Service
service = Service.start("sleeper", [sys.executable, "-c", sys.argv[1]], os.environ, Path(sys.argv[2]))
print(service.pid, flush=True)
time.sleep(60)
"""
# a program with a child of its own; it says its process ids and ignores polite requests to stop
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


def wait_for_pids(log: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        words = log.read_text().split() if log.exists() else []
        if len(words) == 2:
            return [int(word) for word in words]
        time.sleep(0.05)
    raise AssertionError("the program did not start")


def all_gone(pids: list[int], within_seconds: float = 20) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) and not zombie(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def zombie(pid: int) -> bool:
    # an orphan that has ended stays in the list until init collects it, which in a container may be never
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip().startswith("Z")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_a_service_ends_with_its_owner(how: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "sleeper.log"
    with subprocess.Popen([sys.executable, "-c", OWNER, STUBBORN, str(log)], stdout=subprocess.PIPE) as owner:
        pids = wait_for_pids(log)
        owner.send_signal(how)
    assert all_gone(pids)


def test_stop_waits_until_the_service_and_its_children_are_gone(tmp_path: Path) -> None:
    log = tmp_path / "sleeper.log"
    service = Service.start("sleeper", [sys.executable, "-c", STUBBORN], os.environ, log)
    pids = wait_for_pids(log)
    assert not service.ended()
    service.stop()
    assert service.ended()
    assert all_gone(pids, within_seconds=1)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such option')"]
    address = f"http://{LOOPBACK}:{free_port()}"
    with pytest.raises(ServerDidNotStart, match=r"Thing stopped:\nno such option\n"):
        start_server("Thing", command, os.environ, tmp_path / "thing.log", ready=address, any_status=True)
