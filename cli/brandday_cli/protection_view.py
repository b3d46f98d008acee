"""What protects a campaign, in the words of a table: `brandday show`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

UNPROTECTED = "by nothing but what each shopper may take"


def protection_lines(protection: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a line for each thing that a declared protection demands, and one if there is none."""
    if protection is None:
        yield UNPROTECTED
        return
    ticket, challenge, risk = protection["ticket"], protection["challenge"], protection["risk"]
    if ticket is not None:
        opens = f"from {ticket['opens_before_seconds']} s before the start, good for {ticket['valid_seconds']} s"
        yield f"tickets: {opens}"
    if challenge is not None:
        asked = "everybody" if challenge["ask"] == "always" else "whom the rules send"
        yield f"challenge: {challenge['kind']} of {challenge['difficulty']} for {asked}, or {_wait(challenge)}"
    over = "" if protection["brand_day"] is None else f" over {protection['brand_day']}"
    for limit in protection["limits"]:
        yield f"limit {limit['name']}: {_limit(limit)}{over}"
    if risk is not None:
        yield f"rules, {_mode(risk)}: {_rules(risk['rules'])}"


def _wait(challenge: Mapping[str, Any]) -> str:
    return f"a wait of {challenge['wait_seconds']} s"


def _limit(limit: Mapping[str, Any]) -> str:
    counted = limit["counts"][:-1] if limit["most"] == 1 else limit["counts"]
    required = ", which everybody needs" if limit["required"] else ""
    return f"{limit['most']} {counted} per {limit['by']}{required}{_window(limit['window'])}"


def _window(window: Mapping[str, Any] | None) -> str:
    if window is None:
        return ""
    unit = next(name for name in window if name != "kind" and window[name] is not None)
    length = unit[:-1] if window[unit] == 1 else f"{window[unit]} {unit}"
    return f", in any {length}" if window["kind"] == "sliding" else f", each {length}"


def _mode(risk: Mapping[str, Any]) -> str:
    at = [
        f"{consequence} from {risk[name]}"
        for name, consequence in (("challenge_at", "challenge"), ("refuse_at", "refuse"))
        if risk[name] is not None
    ]
    return f"{'only watching' if risk['mode'] == 'shadow' else 'in force'} ({', '.join(at)})"


def _rules(rules: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{rule['name']} {rule['weight']}" for rule in rules)
