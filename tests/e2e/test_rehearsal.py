"""A rush on the deployed stack, carts left behind included: every promise is kept, every unit accounted for."""

import json
import subprocess

import pytest

from brandday_local.examples import command, environment
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack

CAMPAIGN = """\
id: rehearsed
title: {en: Rehearsed}
mechanic: flash_sale
status: published
time_zone: Asia/Shanghai
starts_at: 2025-01-01T00:00:00
ends_at: 2100-01-01T00:00:00
channels: [app, web, mini_program, store]
limit_per_shopper: 2
hold_seconds: 30
extend_seconds: 30
late_payment: reclaim
skus:
  - sku: HERO
    title: {en: Hero}
    list_price: {amount: 200, currency: CNY}
    sale_price: {amount: 100, currency: CNY}
    stock: 90
    units_per_shopper: 2
"""


@pytest.mark.soak
def test_a_rehearsal_on_the_deployed_stack_keeps_every_promise(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("campaign") / "rehearsed.yaml"
    file.write_text(CAMPAIGN, encoding="utf-8")

    def brandday(*arguments: str) -> str:
        run = [command(), *arguments]
        done = subprocess.run(run, env=environment(stack), cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    brandday("apply", str(file), "--yes")
    rehearsal = brandday("rehearse", "rehearsed", "--shoppers", "200", "--wait-for-expiry", "--json")

    verdict = json.loads(rehearsal.splitlines()[-1])
    assert verdict["audit_ok"]
    assert {verdict[fault] for fault in ("oversold", "lost", "duplicates", "wrong_sold_out", "errors_5xx")} == {0}
    assert verdict["sold"] + verdict["held"] + verdict["free"] == verdict["initial"] == 90
    assert verdict["held"] == 0, "a hold outlived its time"
    assert verdict["sold"] > 0
