"""What each function loads at its cold start: a new package, or configuration where nobody needs it, is a decision."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cold_start import FUNCTIONS, environment, functions

PYDANTIC = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
POWERTOOLS = {"aws_lambda_powertools"}
MEASURES = POWERTOOLS | {"typing_extensions"}
"""Lines of the embedded metric format are written by Powertools."""

OF_FUNCTION: dict[str, set[str]] = {
    "admin": PYDANTIC,
    "campaigns": PYDANTIC,
    "coupons": PYDANTIC,
    "draw_holder": PYDANTIC | {"py_arkworks_bls12381"},
    "draws": PYDANTIC,
    "entries": PYDANTIC,
    "entry_projector": set(),
    "fulfilment_worker": PYDANTIC | POWERTOOLS,
    "fulfilments": PYDANTIC | POWERTOOLS,
    "hold_expiry": MEASURES,
    "redemptions": PYDANTIC,
    "reservations": PYDANTIC,
    "reward_dispatcher": set(),
    "reward_issuer": set(),
    "reward_sweeper": set(),
    "rewards": PYDANTIC,
    "risk": PYDANTIC,
    "stock_projector": MEASURES,
    "stock_sweeper": set(),
    "tickets": PYDANTIC,
}
"""The third-party packages that a function imports besides boto3 and what comes with it."""

RESERVATIONS = {
    "adapters": {"aws", "campaign_table", "clock", "keys", "refusal_table", "stock_table"},
    "config": {"settings"},
    "connectors": set(),
    "entrypoints": {
        "access_log",
        "client_address",
        "http",
        "http_input",
        "json_text",
        "money",
        "problem",
        "reservations",
        "routes",
        "shopper",
        "visit",
    },
}
"""The rush is won or lost here: our own modules, too, as far as they load libraries."""

_ASKED = """
import gc, json, os, sys, boto3
from botocore.config import Config
boto3.client("dynamodb"), boto3.client("sqs")
before = set(sys.modules)
for folder in sys.argv[1:]:
    if os.fork() == 0:
        sys.path.insert(0, folder)
        import app
        assert gc.isenabled() and gc.get_freeze_count(), "its builder is without @start"
        os.write(1, (json.dumps([folder, sorted(set(sys.modules) - before)]) + "\\n").encode())
        os._exit(0)
    assert os.wait()[1] == 0, folder
"""
"""What all of them need is loaded once; each function goes on from there in a process of its own."""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """The names of all modules that each function adds to those of boto3."""
    folders = [str(FUNCTIONS / name) for name in functions()]
    asked = [sys.executable, "-c", _ASKED, *folders]
    done = subprocess.run(asked, env=environment(), capture_output=True, text=True, check=True)
    found = dict(map(json.loads, done.stdout.splitlines()))
    return {Path(folder).name: modules for folder, modules in found.items()}


def test_a_function_loads_the_packages_that_it_is_known_to_need(imported: dict[str, list[str]]) -> None:
    found = {name: {module.partition(".")[0] for module in modules} for name, modules in imported.items()}
    known = sys.stdlib_module_names | {"app", "brandday", "boto3", "botocore"}
    packages = {name: {one for one in tops - known if not one.startswith("_")} for name, tops in found.items()}
    assert packages == OF_FUNCTION


def test_reservations_load_no_module_of_another_function(imported: dict[str, list[str]]) -> None:
    parts = [module.split(".") for module in imported["reservations"] if module.count(".") == 2]
    found = {
        layer: {name for package, of, name in parts if (package, of) == ("brandday", layer)} for layer in RESERVATIONS
    }
    assert found == RESERVATIONS


def test_no_function_reads_campaign_files_but_the_one_that_operators_talk_to(imported: dict[str, list[str]]) -> None:
    reading = {name for name, modules in imported.items() if "brandday.config.mechanics" in modules}
    assert reading == {"admin"}


def test_no_http_function_loads_the_router_that_it_does_without(imported: dict[str, list[str]]) -> None:
    loading = {name for name, modules in imported.items() if "aws_lambda_powertools.event_handler" in modules}
    assert loading == set()
