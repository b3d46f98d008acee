"""Puts the example campaigns on sale, through the operator's command: as an operator would."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from brandday_local.places import FOLDER_VARIABLE, ROOT
from brandday_local.stack import LocalStack

CAMPAIGNS = ROOT / "campaigns"


OPEN_NOW = "everyday-tasting"
"""The example whose sale is open on any day: there is something to buy a minute after `make run`."""

FLASH_SALE = "november-brand-day"
"""The example that `make demo` rehearses."""


def put_on_sale(stack: LocalStack) -> None:
    """Apply and publish the example campaigns; RuntimeError with the command's words if one is refused."""
    files = sorted(CAMPAIGNS.glob("*.yaml"))
    brandday(stack, "apply", *map(str, files), "--yes")
    for file in files:
        brandday(stack, "publish", str(_document(file)["id"]))


def something_to_buy() -> tuple[str, str]:
    """A campaign that is open now, and the first SKU in it."""
    document = _document(CAMPAIGNS / f"{OPEN_NOW}.yaml")
    return str(document["id"]), str(document["skus"][0]["sku"])


def _document(file: Path) -> Any:
    return YAML(typ="safe").load(file)


def brandday(stack: LocalStack, *arguments: str) -> None:
    """Run the operator's command on a stack, quietly; RuntimeError with what it said if it fails."""
    done = subprocess.run(
        [command(), *arguments], env=environment(stack), capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        raise RuntimeError(f"`brandday {' '.join(arguments[:2])}` failed:\n{done.stdout}{done.stderr}")


def command() -> str:
    """The operator's command, as installed next to the Python that runs this."""
    return str(Path(sys.executable).with_name("brandday"))


def environment(stack: LocalStack) -> dict[str, str]:
    """Environment that makes the operator's command talk to this stack."""
    return os.environ | {FOLDER_VARIABLE: stack.folder}
