"""`make demo`: a rehearsed flash sale and its audit, non-interactive; fails if a promise is broken."""

import subprocess

from brandday_local.examples import campaign_ids, command, environment, put_on_sale
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack
from brandday_local.steps import console, step


def main() -> int:
    """Use the stack that runs or start one, rehearse, audit; the exit code of the first that fails."""
    console.print("[bold]Brand Day[/bold]: rehearsal of a flash sale")
    with LocalStack.running_or_new() as stack:
        with step("Applying and publishing the example campaigns"):
            put_on_sale(stack)
        campaign_id = campaign_ids()[0]
        for act in (["rehearse", campaign_id], ["audit", campaign_id]):
            console.print(f"\n[bold]brandday {' '.join(act)}[/bold]")
            code = subprocess.run([command(), *act], env=environment(stack), check=False, cwd=ROOT).returncode
            if code:
                return code
    return 0
