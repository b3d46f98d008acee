"""`make demo`: a rehearsed flash sale and its audit, non-interactive; fails if a promise is broken."""

import subprocess

from brandday_local.examples import FLASH_SALE, command, environment, put_on_sale
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack
from brandday_local.steps import console, step


def main() -> int:
    """Use the stack that runs or start one; the exit code of the rehearsal, which is 0 if every promise was kept."""
    console.print("[bold]Brand Day[/bold]: rehearsal of a flash sale")
    with LocalStack.running_or_new() as stack:
        with step("Applying and publishing the example campaigns"):
            put_on_sale(stack)
        console.print(f"\n[bold]brandday rehearse {FLASH_SALE}[/bold]")
        rehearsal = [command(), "rehearse", FLASH_SALE]  # on a copy of the campaign, which it audits when all is over
        return subprocess.run(rehearsal, env=environment(stack), check=False, cwd=ROOT).returncode
