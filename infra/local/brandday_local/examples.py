"""Puts the example campaigns on sale, through the operator's command: as an operator would."""

import os
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from brandday_local.places import FOLDER_VARIABLE, ROOT
from brandday_local.stack import LocalStack

CAMPAIGNS = ROOT / "campaigns"


def campaign_ids() -> list[str]:
    """Ids of the example campaigns, in the order of their files."""
    return [str(YAML(typ="safe").load(file)["id"]) for file in campaign_files()]


def campaign_files() -> list[Path]:
    """The example campaigns."""
    return sorted(CAMPAIGNS.glob("*.yaml"))


def put_on_sale(stack: LocalStack) -> list[str]:
    """Apply and publish the example campaigns; their ids. RuntimeError with the command's words if one is refused."""
    brandday(stack, "apply", *map(str, campaign_files()), "--yes")
    ids = campaign_ids()
    for campaign_id in ids:
        brandday(stack, "publish", campaign_id)
    return ids


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
