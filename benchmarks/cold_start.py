"""What a cold start pays for our code: each function's import (its handler built) over what it cannot do without.

    python -m benchmarks.cold_start [--pairs 5] [--no-sizes]

Measured in processes of their own, in turns, as processor time from after the interpreter's start: once the function's
`app.py` as Lambda imports it, once only the libraries that it cannot do without: boto3 with the clients that it makes,
pydantic and the part of Powertools where it uses them; each of a pair is the best of three starts. Both find compiled
files, in a folder of this run; Lambda's layers do not have them by themselves. Then everything is built with
`sam build` and zipped, for the sizes.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich.table import Table
from ruamel.yaml import YAML

from benchmarks import results
from benchmarks.results import Claim, wide_console
from brandday_local.template_tables import TEMPLATE

REPOSITORY = Path(__file__).parents[1]
FUNCTIONS = REPOSITORY / "functions"
CORE = REPOSITORY / "layers" / "core"
AIM = 1.25
AT_MOST = 1.3
"""What is claimed: the median of the pairs moves by a twentieth on a machine that others use as well. Who misses the
aim is printed and saved."""

STARTS = 3
"""Each of a pair is the best of so many starts: what others do on the machine only ever makes one longer."""

_TIMED = """
import time
began = time.process_time_ns()
{code}
print((time.process_time_ns() - began) / 1e6)
"""
_APP = "import sys; sys.path.insert(0, {folder!r})\nimport app"
_ASKED = """
import sys, boto3
real, made = boto3.client, []
def client(name, *args, **options):
    made.append(name)
    return real(name, *args, **options)
boto3.client = client
{code}
print(*made)
print(*sys.modules)
"""
_PYDANTIC = """
from pydantic import BaseModel, ConfigDict, Field, ValidationError
class Model(BaseModel):
    number: int = Field(ge=1)
"""
# What of Powertools one of our modules is made with.
_POWERTOOLS = {
    "brandday.adapters.secrets": "from aws_lambda_powertools.utilities.parameters.base import BaseProvider",
    "brandday.entrypoints.on_fulfilment_due": "from aws_lambda_powertools.utilities.batch import BatchProcessor",
}


class Start(NamedTuple):
    """Milliseconds of processor time, pair by pair; `needs` is what the second of each pair imports."""

    ours: list[float]
    needs: str
    floor: list[float]


def environment() -> dict[str, str]:
    """Return what Lambda and the template set, with names that lead nowhere."""
    names = YAML().load(TEMPLATE)["Globals"]["Function"]["Environment"]["Variables"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))}
    urls = {name: f"https://sqs.us-east-1.amazonaws.com/1/{name}" for name in names if name.endswith("_URL")}
    made_up = {name: name for name in names if name.endswith(("_TABLE", "_KEY_ID", "_SECRET"))}
    aws = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    return {**plain, **made_up, **urls, **aws, "PYTHONPATH": str(CORE)}


def functions() -> list[str]:
    """Return the names of all functions."""
    return sorted(folder.name for folder in FUNCTIONS.iterdir() if (folder / "app.py").exists())


def main() -> None:
    """Measure, print, write results.json, and fail if a bound is broken."""
    options = _options()
    console = wide_console()
    with tempfile.TemporaryDirectory(prefix="cold-start-") as compiled:
        # A caller who forbids compiled files would have our modules compiled anew in every process that is timed.
        env = {**environment(), "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        measured = {name: _measure(name, options.pairs, env) for name in functions()}
    table = Table(title="Cold start: processor time of the import", title_justify="left")
    for column in ("function", "ours", "what it needs", "floor", "ratio", "spread"):
        table.add_column(column, no_wrap=True, justify="left" if column in ("function", "what it needs") else "right")
    section: dict[str, Any] = {
        "measured_against": "importing and building only the libraries that the function cannot do without",
        "unit": "ratio of processor times; median of the pairs, [least, largest]",
        "functions": {name: _figures(start) for name, start in measured.items()},
    }
    for name, figures in section["functions"].items():
        low, high = figures["ratio_spread"]
        floor, ours = f"{figures['floor_ms']:.0f} ms", f"{figures['ours_ms']:.0f} ms"
        table.add_row(name, ours, figures["needs"], floor, f"{figures['ratio']:.2f}", f"{low:.2f} - {high:.2f}")
    console.print(table)
    if options.sizes:
        section["zipped_bytes"] = _sizes()
        for name, size in section["zipped_bytes"].items():
            console.print(f"{name}: {size / 1000:,.0f} kB zipped")
    else:
        section["zipped_bytes"] = results.read().get("cold_start", {}).get("zipped_bytes", {})
    section["aim"] = AIM
    section["aim_missed_by"] = [name for name, figures in section["functions"].items() if figures["ratio"] > AIM]
    console.print(f"over the aim of {AIM}: {', '.join(section['aim_missed_by']) or 'none'}")
    claims = [
        Claim(f"cold start of {name}", figures["ratio"], AT_MOST, f"importing only {figures['needs']}")
        for name, figures in section["functions"].items()
    ]
    results.save("cold_start", section, claims)
    console.print(f"written to {results.RESULTS}")
    results.stand_by(claims)


def _measure(name: str, pairs: int, env: dict[str, str]) -> Start:
    app = _APP.format(folder=str(FUNCTIONS / name))
    clients, modules = (line.split() for line in _run(_ASKED.format(code=app), env)[-2:])
    code = "import boto3\nfrom botocore.config import Config\n"
    code += "\n".join(f"boto3.client({client!r}, config=Config(user_agent='x'))" for client in clients)
    parts = [part for module, part in _POWERTOOLS.items() if module in modules]
    code += "\n".join(["", *parts])
    needs = [*clients, *(["Powertools"] if parts else [])]
    if "pydantic" in modules:
        code += _PYDANTIC
        needs.append("pydantic")
    _run(code, env)  # compiles what the first run has not
    ours, floor = [], []
    for _ in range(pairs):
        starts = [(_milliseconds(app, env), _milliseconds(code, env)) for _ in range(STARTS)]
        ours.append(min(start for start, _ in starts))
        floor.append(min(start for _, start in starts))
    return Start(ours, ", ".join(needs), floor)


def _milliseconds(code: str, env: dict[str, str]) -> float:
    return float(_run(_TIMED.format(code=code), env)[-1])


def _run(code: str, env: dict[str, str]) -> list[str]:
    asked = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return asked.stdout.splitlines()


def _figures(start: Start) -> dict[str, Any]:
    ratios = [ours / floor for ours, floor in zip(start.ours, start.floor, strict=True)]
    return {
        "ratio": round(median(ratios), 3),
        "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "ours_ms": round(median(start.ours), 1),
        "floor_ms": round(median(start.floor), 1),
        "needs": start.needs,
        "pairs": len(ratios),
    }


def _sizes() -> dict[str, int]:
    """Return the zipped size of each function and layer, as `sam build` makes them."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
        sam = Path(sys.executable).with_name("sam")
        machine = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        command = [str(sam), "build", "--build-dir", folder]
        command += ["--parameter-overrides", f"Architecture={machine}"]
        subprocess.run(command, cwd=REPOSITORY, env=env, check=True, capture_output=True)
        parts = sorted(part for part in Path(folder).iterdir() if part.is_dir())
        return {part.name: _zipped(part) for part in parts}


def _zipped(folder: Path) -> int:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return len(packed.getvalue())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="pairs per function (default 5)")
    parser.add_argument("--no-sizes", dest="sizes", action="store_false", help="do not build; keep the sizes there are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
