"""The kinds of risk rules there are. A new one is a file beside these and a line here."""

from collections.abc import Mapping
from typing import Any

from brandday.domain.risk import RiskRule
from brandday.domain.risk_rules.new_account import NewAccount

RULES: Mapping[str, type[RiskRule]] = {
    NewAccount.name: NewAccount,
}


def read_rule(document: Mapping[str, Any]) -> RiskRule:
    """Return the rule of a document, as `RiskRule.to_document` has written it."""
    kind: Any = RULES[document["rule"]]
    rule: RiskRule = kind.from_document(document)
    return rule
