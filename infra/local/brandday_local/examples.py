"""Puts the example campaigns on sale, through the operator's command: as an operator would."""

import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from ruamel.yaml import YAML

from brandday_local.places import FOLDER_VARIABLE, ROOT
from brandday_local.stack import LocalStack

CAMPAIGNS = ROOT / "campaigns"


OPEN_NOW = "everyday-tasting"
"""The example whose sale is open on any day: there is something to buy a minute after `make run`."""

FLASH_SALE = "november-brand-day"
"""The example that `make demo` rehearses."""


LUCKY_DRAW = "lucky-draw"
"""The example that anybody can try their luck in at once."""

VOUCHER = "tea-voucher"
"""The example of coupons that shoppers take."""


def put_on_sale(stack: LocalStack) -> None:
    """Apply and publish the example campaigns; RuntimeError with the command's words if one is refused."""
    folder = Path(stack.folder)
    files = sorted(CAMPAIGNS.glob("*.yaml"))
    lotteries = [file for file in files if _document(file)["mechanic"] == "lottery"]
    # A lottery is published once, and keeps its window then: one that runs is left alone.
    moved = [_opened_now(file, folder) for file in lotteries if not _is_published(stack, file.stem)]
    others = [_published(file, file.read_text(encoding="utf-8"), folder) for file in files if file not in lotteries]
    brandday(stack, "apply", *map(str, [*others, *moved]), "--yes")


def _opened_now(file: Path, folder: Path) -> Path:
    """A published copy of a lottery, all its times moved by the same number of days so that it has just begun.

    The examples are dated far off, and a lottery cannot last until then.
    """
    document = _document(file)
    now = datetime.now(ZoneInfo(document["time_zone"])).replace(tzinfo=None)
    days = (now - datetime.fromisoformat(str(document["starts_at"]))) // timedelta(days=1)

    def move(time: re.Match[str]) -> str:
        return (datetime.fromisoformat(time[0]) + timedelta(days=days)).isoformat()

    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\b", move, file.read_text(encoding="utf-8"))
    return _published(file, text, folder)


def _published(file: Path, text: str, folder: Path) -> Path:
    """A copy of an example that `apply` publishes at once: a command for each of them takes a second."""
    copy = folder / file.name
    copy.write_text(text.replace("status: draft", "status: published", 1), encoding="utf-8")
    return copy


def _is_published(stack: LocalStack, campaign_id: str) -> bool:
    return httpx.get(f"{stack.api_url}/v1/campaigns/{campaign_id}", timeout=30).status_code == 200


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
