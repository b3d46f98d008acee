"""Real DynamoDB engines for tests and measurements: AWS's DynamoDB Local, and the one inside ministack.

DynamoDB Local comes from the npm package `amplify-dynamodb-simulator`, which ships AWS's own jar. Only its
tarball is fetched (version and SHA-256 are pinned here); nothing of it is installed or run but that jar.

    python -m brandday_local.dynamodb_local     fetch it now, so that the first test need not
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from brandday_local.ports import LOOPBACK, free_port
from brandday_local.servers import ServerDidNotStart, start_server

PACKAGE = "amplify-dynamodb-simulator"
VERSION = "2.9.30"  # ships DynamoDB Local 1.25.1
TARBALL_SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"
OLDEST_JAVA = 17

REPOSITORY = Path(__file__).resolve().parents[3]
HOME = REPOSITORY / ".local" / "dynamodb-local"
LAUNCHER = Path(__file__).with_name("LoopbackLauncher.java")


class MissingTool(RuntimeError):
    """Something that this machine must have is not there; the message says what and how to install it."""


@dataclass(frozen=True)
class Java:
    """A Java that is new enough."""

    program: Path
    major: int
    can_compile: bool  # a JDK, or a JRE with the compiler's module


class _Engine:
    """A DynamoDB on a free port of 127.0.0.1, for the length of a `with` block."""

    name: str

    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self._url = ""

    @property
    def endpoint_url(self) -> str:
        """The address for boto3."""
        assert self._url, "start it first"  # noqa: S101 - a mistake in the caller
        return self._url

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def _start(
        self,
        command: Callable[[int], list[str]],
        environment: Callable[[int, Path], Mapping[str, str]],
        folder: Path | None = None,
    ) -> None:
        """Start the server with the command and the environment for a port (and a scratch folder)."""
        scratch = Path(tempfile.mkdtemp(prefix="brandday-dynamodb-"))
        attempts = 3  # another program may take the free port between our look and the server's start
        for attempt in range(1, attempts + 1):
            port = free_port()
            url = f"http://{LOOPBACK}:{port}"
            settings = {**os.environ, **environment(port, scratch)}
            log = scratch / "server.log"
            try:
                server = start_server(
                    self.name, command(port), settings, log, ready=url, any_status=True, folder=folder
                )
            except ServerDidNotStart:
                if attempt == attempts:
                    raise  # the scratch folder stays: the error names the log in it
            else:
                self._cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)
                self._cleanup.callback(server.stop)
                self._url = url
                return


class DynamoDbLocal(_Engine):
    """AWS's DynamoDB Local, in memory, on a free port of 127.0.0.1, for the length of a `with` block.

    With a plain JRE there is no compiler for our launcher; then it listens on all interfaces, as it
    always does on its own. `loopback_only` tells which.

    Raises MissingTool if Java or npm is missing, ServerDidNotStart if it does not come up.
    """

    name = "DynamoDB Local"

    def __init__(self) -> None:
        super().__init__()
        self.loopback_only = False

    def __enter__(self) -> Self:
        java = find_java()
        emulator = fetch()
        launcher = _compiled_launcher(java, emulator)
        self.loopback_only = launcher is not None
        self._start(lambda port: _command(java, emulator, launcher, port), lambda _port, _scratch: {}, emulator)
        return self


class MinistackDynamoDb(_Engine):
    """The DynamoDB of ministack alone, with its streams, on a free port of 127.0.0.1, for a `with` block."""

    name = "ministack"

    def __enter__(self) -> Self:
        self._start(lambda _port: [sys.executable, "-m", "ministack"], self._settings)
        return self

    @staticmethod
    def _settings(port: int, scratch: Path) -> Mapping[str, str]:
        return {
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "WARNING",
            "SERVICES": "dynamodb,dynamodbstreams",
            "TMPDIR": str(scratch),  # where it leaves its pid file
        }


def find_java() -> Java:
    """Return the best Java of this machine: new enough, and one that can compile if there is one."""
    found: list[Java] = []
    too_old: list[str] = []
    for program in _java_candidates():
        java = _inspect(program)
        if java is None:
            continue
        if java.major < OLDEST_JAVA:
            too_old.append(f"{program} is Java {java.major}")
        elif java.can_compile:
            return java
        else:
            found.append(java)
    if found:
        return found[0]
    reason = "; ".join(too_old) or "there is none in JAVA_HOME, on PATH or in the usual folders"
    raise MissingTool(
        f"DynamoDB Local needs Java {OLDEST_JAVA} or newer ({reason}). Install a JDK: "
        "`sudo apt-get install openjdk-17-jdk-headless` (Debian, Ubuntu), `brew install openjdk@17` (macOS), "
        "or any other, and point JAVA_HOME at it."
    )


def fetch() -> Path:
    """Return the folder with DynamoDBLocal.jar, fetched first if it is missing; safe to call in parallel."""
    target = HOME / VERSION
    if (target / "DynamoDBLocal.jar").exists():
        return target
    with _lock():
        if (target / "DynamoDBLocal.jar").exists():
            return target  # somebody else was faster
        with tempfile.TemporaryDirectory(dir=HOME, prefix="fetch-") as folder:
            tarball = _download(Path(folder))
            with tarfile.open(tarball) as archive:
                members = [each for each in archive if each.name.startswith("package/emulator/")]
                archive.extractall(folder, members, filter="data")  # refuses paths that lead outside
            (Path(folder) / "package" / "emulator").rename(target)  # at once, so that it is never half there
    return target


def _download(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingTool(
            "DynamoDB Local is fetched with npm, which is not there. Install it: `sudo apt-get install npm` "
            "(Debian, Ubuntu), `brew install node` (macOS), or https://nodejs.org/en/download."
        )
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder), "--silent"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    tarball = folder / f"{PACKAGE}-{VERSION}.tgz"
    if done.returncode != 0 or not tarball.exists():
        reason = done.stderr.strip() or done.stdout.strip()
        raise MissingTool(f"npm could not fetch {PACKAGE} {VERSION}: {reason}")
    with tarball.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != TARBALL_SHA256:
        raise MissingTool(f"{PACKAGE} {VERSION} is not the file we know (SHA-256 {digest}): not unpacked.")
    return tarball


def _java_candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    for folder, pattern in (
        ("/usr/lib/jvm", "*/bin/java"),
        ("/Library/Java/JavaVirtualMachines", "*/Contents/Home/bin/java"),
        ("/opt/homebrew/opt", "openjdk*/bin/java"),
        ("/usr/local/opt", "openjdk*/bin/java"),
    ):
        yield from sorted(Path(folder).glob(pattern), reverse=True)


def _inspect(program: Path) -> Java | None:
    try:
        version, modules = (
            subprocess.run([program, option], capture_output=True, text=True, check=False, timeout=30)
            for option in ("-version", "--list-modules")
        )
    except (OSError, subprocess.SubprocessError):
        return None  # not there, or not a Java (macOS has a stub that only asks to install one)
    number = re.search(r'version "(\d+)(?:\.(\d+))?', version.stderr)
    if number is None:
        return None
    major = int(number[1]) if number[1] != "1" else int(number[2] or 0)  # "1.8.0" is Java 8
    return Java(program, major, can_compile="jdk.compiler@" in modules.stdout)


def _compiled_launcher(java: Java, emulator: Path) -> Path | None:
    """Return the folder with the compiled launcher; None where there is no compiler."""
    if not java.can_compile:
        return None
    digest = hashlib.sha256(LAUNCHER.read_bytes()).hexdigest()[:12]
    classes = HOME / f"launcher-{digest}-java{java.major}"
    with _lock():
        if not (classes / "LoopbackLauncher.class").exists():
            command = [str(java.program), "-m", "jdk.compiler/com.sun.tools.javac.Main"]
            arguments = ["-cp", _class_path(emulator), "-d", str(classes), str(LAUNCHER)]
            subprocess.run([*command, *arguments], check=True, capture_output=True)
    return classes


def _command(java: Java, emulator: Path, launcher: Path | None, port: int) -> list[str]:
    virtual_machine = [str(java.program), "-Xmx768m", "-Djava.library.path=DynamoDBLocal_lib"]
    options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    if launcher is None:
        return [*virtual_machine, "-jar", "DynamoDBLocal.jar", *options]
    class_path = os.pathsep.join((str(launcher), _class_path(emulator)))
    return [*virtual_machine, "-cp", class_path, "LoopbackLauncher", *options]


def _class_path(emulator: Path) -> str:
    return os.pathsep.join((str(emulator / "DynamoDBLocal.jar"), str(emulator / "DynamoDBLocal_lib" / "*")))


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process at a time prepare the shared folder."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _main() -> int:
    try:
        java = find_java()
        emulator = fetch()
        _compiled_launcher(java, emulator)
    except MissingTool as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    sys.stdout.write(f"DynamoDB Local is in {emulator}, to be run by {java.program} (Java {java.major})\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
