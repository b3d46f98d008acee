"""The kinds of risk rules there are. A new one is a file beside these and a name in this list."""

from collections.abc import Mapping
from typing import Any, Final

from brandday.domain.risk import RiskRule
from brandday.domain.risk_rules.new_account import NewAccount
from brandday.domain.risk_rules.on_block_list import OnBlockList
from brandday.domain.risk_rules.options import WithOptions
from brandday.domain.risk_rules.phone_range import PhoneRange
from brandday.domain.risk_rules.shared_signal import SharedSignal
from brandday.domain.risk_rules.too_fast import TooFast

RULES: Final[Mapping[str, type[WithOptions]]] = {
    rule.name: rule for rule in (NewAccount, SharedSignal, TooFast, PhoneRange, OnBlockList)
}
"""Every kind by the name that campaigns choose it by."""


def read_rule(document: Mapping[str, Any]) -> RiskRule:
    """Return the rule of a document, as `RiskRule.to_document` has written it."""
    kind: Any = RULES[document["rule"]]
    rule: RiskRule = kind.from_document(document)
    return rule
