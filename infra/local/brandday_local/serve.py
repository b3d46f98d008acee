"""`make run`: the whole backend on this machine, until Ctrl-C."""

import time

from rich.padding import Padding
from rich.text import Text

from brandday_local.examples import put_on_sale
from brandday_local.processes import alive
from brandday_local.stack import LocalStack
from brandday_local.steps import console, step

LOOK_EVERY_SECONDS = 0.5


def main() -> int:
    """Start the stack, put the example campaigns on sale, say how to use it, and serve."""
    console.print("[bold]Brand Day[/bold] on this machine")
    try:
        with LocalStack.start() as stack:
            with step("Applying and publishing the example campaigns"):
                campaigns = put_on_sale(stack)
            show_how_to_use(stack, campaigns)
            return serve(stack)
    finally:
        console.print("Everything that was started here is stopped.")


def serve(stack: LocalStack) -> int:
    """Wait for Ctrl-C (which is a success) or the end of the emulator (which is not)."""
    try:
        while alive(stack.emulator_pid):
            time.sleep(LOOK_EVERY_SECONDS)
    except KeyboardInterrupt:
        console.print()
        return 0
    raise RuntimeError(f"the emulator stopped by itself; its log is {stack.folder}/emulator.log")


def show_how_to_use(stack: LocalStack, campaigns: list[str]) -> None:
    """Print the address, a token of each kind and a request to try."""
    shopper = stack.token("shopper-1", "shopper", tier="gold", channel="app", region="CN", new_customer="false")
    operator = stack.token("local-operator", "operator")
    for title, value in (
        ("API", stack.api_url),
        ("A shopper's token", shopper),
        ("An operator's token", operator),
        (
            "Try it",
            f"curl {stack.api_url}/v1/campaigns/{campaigns[0]}" if campaigns else f"curl {stack.api_url}/v1/health",
        ),
        ("Steer it", ".venv/bin/brandday --help"),
    ):
        console.print(f"\n[bold]{title}[/bold]")
        # whole and on one line however narrow the terminal is, to be copied
        console.print(Padding(Text(value, overflow="ignore", no_wrap=True), (0, 0, 0, 2)), soft_wrap=True)
    console.print("\n[bold green]Serving.[/bold green] Ctrl-C stops everything.")
