"""A crowd of which four fifths are bots, on the deployed stack: they take it all, unless the campaign is protected."""

import json
import subprocess

import pytest

from brandday_local.examples import command, environment
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack


@pytest.mark.soak
@pytest.mark.stack
def test_people_get_the_units_once_a_campaign_is_protected(stack: LocalStack) -> None:
    def brandday(*arguments: str) -> str:
        run = [command(), *arguments]
        done = subprocess.run(run, env=environment(stack), cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    brandday("apply", str(ROOT / "campaigns/guarded-drop.yaml"), "--yes")
    played = json.loads(brandday("rehearse", "guarded-drop", "--bots", "--shoppers", "500", "--json").splitlines()[-1])

    without, protected = played["without"], played["protected"]
    print(f"people's share: {without['honest_share']:.0%} without, {protected['honest_share']:.0%} protected")
    assert played["audits_passed"]
    assert without["honest_share"] < 0.4, "the control: bots are faster"
    assert protected["honest_share"] > 0.6
    assert protected["honest_wrongly_refused"] < 0.01
    assert protected["units"]["script without a ticket"] == 0
    assert protected["units"]["many accounts on one device"] <= 4
    assert protected["units"]["many devices on one network"] <= 16
