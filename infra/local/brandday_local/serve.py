"""`make run`: the whole backend on this machine, until Ctrl-C."""

import json
import shlex
import time

from rich.text import Text

from brandday_local.examples import LUCKY_DRAW, VOUCHER, put_on_sale, something_to_buy
from brandday_local.processes import alive
from brandday_local.stack import RECEIVER_PORT, LocalStack
from brandday_local.steps import console, step

LOOK_EVERY_SECONDS = 0.5


def main() -> int:
    """Start the stack, put the example campaigns on sale, say how to use it, and serve."""
    console.print("[bold]Brand Day[/bold] on this machine")
    try:
        with LocalStack.start() as stack:
            with step("Applying and publishing the example campaigns"):
                put_on_sale(stack)
            show_how_to_use(stack)
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


def show_how_to_use(stack: LocalStack) -> None:
    """Print the address, a token of each kind and a request to try, each on one line to be copied."""
    shopper = stack.token("shopper-1", "shopper", tier="gold", channel="app", region="CN", new_customer="false")
    show("API", stack.api_url)
    show("A shopper's token", shopper)
    show("An operator's token", stack.token("local-operator", "operator"))
    show("A second operator's, who may approve what the first one applied", stack.token("second-operator", "operator"))
    show("Buy something", reserve_with_curl(stack, shopper))
    show("Try your luck (a new key is a new entry)", enter_with_curl(stack, shopper))
    show("Take a coupon", take_with_curl(stack, shopper))
    show("The token of a shop's backend, which redeems codes", stack.token("shop", "orders"))
    show("The token of a till, which scans them", stack.token("till-1", "store", store="hangzhou-1"))
    show("What that lottery has promised, for anybody", f"curl {stack.api_url}/v1/campaigns/{LUCKY_DRAW}/draw")
    show("A partner, and what it received", stack.receiver_url)
    if not stack.receiver_url.endswith(f":{RECEIVER_PORT}"):
        show(
            "Port taken", f"The examples deliver to port {RECEIVER_PORT}, which is somebody else's; change their URLs."
        )
    show("Steer it", ".venv/bin/brandday --help")
    console.print("\n[bold green]Serving.[/bold green] Ctrl-C stops everything.")


def reserve_with_curl(stack: LocalStack, token: str) -> str:
    """A command line that reserves one unit of what is on sale now."""
    campaign_id, sku = something_to_buy()
    headers = (f"authorization: Bearer {token}", "idempotency-key: my-first", "content-type: application/json")
    body = json.dumps({"sku": sku, "quantity": 1})
    url = f"{stack.api_url}/v1/campaigns/{campaign_id}/reservations"
    return shlex.join(["curl", "-i", url, *(word for header in headers for word in ("-H", header)), "-d", body])


def enter_with_curl(stack: LocalStack, token: str) -> str:
    """A command line that enters the lucky draw once."""
    headers = (f"authorization: Bearer {token}", "idempotency-key: entry-1")
    url = f"{stack.api_url}/v1/campaigns/{LUCKY_DRAW}/entries"
    return shlex.join(["curl", "-i", "-X", "POST", url, *(word for header in headers for word in ("-H", header))])


def take_with_curl(stack: LocalStack, token: str) -> str:
    """A command line that takes the shopper's one voucher."""
    headers = (f"authorization: Bearer {token}", "idempotency-key: coupon-1")
    url = f"{stack.api_url}/v1/campaigns/{VOUCHER}/coupons"
    return shlex.join(["curl", "-i", "-X", "POST", url, *(word for header in headers for word in ("-H", header))])


def show(title: str, value: str) -> None:
    """Print a title and, whole however narrow the terminal is, a value."""
    console.print(f"\n[bold]{title}[/bold]")
    console.print(Text(value), soft_wrap=True)
