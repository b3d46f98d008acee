"""Where things are on this machine: the checkout, and the ignored folder for all that the local stack leaves behind."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The checkout: where template.yaml is."""

FOLDER_VARIABLE = "BRANDDAY_LOCAL"
"""Environment variable with the folder of another stack than the one `make run` starts (tests use it)."""

DEFAULT_FOLDER = ROOT / ".local"


def stack_folder() -> Path:
    """Folder of the stack that commands talk to: state, logs and temporary files of one running stack."""
    return Path(os.environ.get(FOLDER_VARIABLE, DEFAULT_FOLDER)).resolve()


def machine_folder() -> Path:
    """Folder shared by all stacks of this machine: the issuer's key, downloads."""
    DEFAULT_FOLDER.mkdir(exist_ok=True)
    return DEFAULT_FOLDER
