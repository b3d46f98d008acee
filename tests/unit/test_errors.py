"""Every error is complete: drawn, coded, worded in two languages, documented."""

import pickle
import re
import string
from pathlib import Path
from typing import Any

import pytest

from brandday.domain import errors, messages
from brandday.domain.errors import BrandDayError, CampaignPaused, FieldError, SoldOut, every_error
from brandday.domain.messages import explain, explain_field

GUIDE = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")
ERRORS = tuple(every_error())

VALUES: dict[str, list[errors.Param]] = {
    "requirement": ["member_tier", "new_customer", "region", "channel", "order_channel"],
    "per": ["sku", "campaign"],
    "allowance": ["day", "campaign"],
    "refund_due": [False, True],
    "where": ["online", "counter"],
    "ticket_invalid reason": ["missing", "wrong", "expired", "used"],
    "challenge_required reason": ["missing", "wrong", "early", "expired", "used"],
    "by": ["shopper", "device", "network", "phone", "email", "address", "payment"],
    "clashes_with": [("SPRING-10", "VIP-5")],
    "accepted": [("gold", "silver")],
    "allowed": [("GET", "PUT")],
}
"""Facts that are not just any text, of one error or of all that have them."""


def values(code: str, name: str) -> list[Any]:
    return VALUES.get(f"{code} {name}") or VALUES.get(name, ["HERO-1"])


def examples(kind: type[BrandDayError]) -> list[BrandDayError]:
    """One error per text that `kind` can show."""
    facts: dict[str, Any] = {name: values(kind.code, name)[0] for name in sorted(kind.takes)}
    deciding = messages.VARIANTS.get(kind.code)
    if deciding is None:
        return [kind(**facts)]
    return [kind(**{**facts, deciding: value}) for value in values(kind.code, deciding)]


every_example = pytest.mark.parametrize(
    "error", [error for kind in ERRORS for error in examples(kind)], ids=lambda error: str(error).replace(" ", "_")
)
every_kind = pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)


@every_kind
def test_the_drawing_shows_every_error_with_its_status(kind: type[BrandDayError]) -> None:
    assert re.search(rf"── {kind.__name__} +{kind.status}$", errors.__doc__ or "", re.MULTILINE)


def test_the_drawing_shows_nothing_else() -> None:
    drawn = re.findall(r"── (\w+)", errors.__doc__ or "")
    groups = [group.__name__ for group in BrandDayError.__subclasses__()]
    assert sorted(drawn) == sorted([kind.__name__ for kind in ERRORS] + groups)


def test_no_two_errors_share_a_code() -> None:
    assert len({kind.code for kind in ERRORS}) == len(ERRORS)


@pytest.mark.parametrize(
    "code",
    [
        "campaign_not_started campaign_ended campaign_paused sold_out all_held shopper_limit_reached not_eligible",
        "reservation_expired coupon_not_found coupon_expired coupon_exhausted coupon_locked not_combinable",
        "challenge_required ticket_invalid idempotency_key_missing idempotency_key_reused rate_limited",
        "temporarily_overloaded campaign_not_found reservation_not_found validation_failed internal_error",
    ],
)
def test_the_promised_codes_exist(code: str) -> None:
    assert set(code.split()) <= {kind.code for kind in ERRORS}


@every_example
@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_error_explains_itself(error: BrandDayError, language: str) -> None:
    text = explain(error, language)
    assert text.title
    assert text.detail
    assert "{" not in text.detail
    assert bool(re.search(r"[\u4e00-\u9fff]", text.title)) == (language == "zh-CN")
    assert bool(re.search(r"[\u4e00-\u9fff]", text.detail)) == (language == "zh-CN")


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_rule_explains_itself(language: str) -> None:
    rules = messages.CHINESE_RULES if language == "zh-CN" else messages.ENGLISH_RULES
    for rule, text in rules.items():
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name]
        said = explain_field(FieldError("/field", rule, dict.fromkeys(names, 7)), language)
        assert said
        assert "{" not in said


def test_both_languages_have_the_same_texts_and_name_the_same_facts() -> None:
    assert messages.CHINESE.keys() == messages.ENGLISH.keys()
    assert messages.CHINESE_RULES.keys() == messages.ENGLISH_RULES.keys()
    assert messages.CHINESE_TITLES.keys() == {kind.code for kind in ERRORS}
    for one, other in ((messages.ENGLISH, messages.CHINESE), (messages.ENGLISH_RULES, messages.CHINESE_RULES)):
        for key in one:
            assert set(re.findall(r"{\w+}", one[key])) == set(re.findall(r"{\w+}", other[key])), key


def test_no_text_is_left_over() -> None:
    shown = {key.partition(".")[0] for key in messages.ENGLISH}
    assert shown == {kind.code for kind in ERRORS}
    variants = {f"{code}.{value}".lower() for code, name in messages.VARIANTS.items() for value in values(code, name)}
    assert {key for key in messages.ENGLISH if "." in key} == variants


def test_a_rule_without_a_text_still_says_something() -> None:
    assert explain_field(FieldError("/x", "no_such_rule"), "en") == messages.ENGLISH_RULES["invalid"]


@every_kind
def test_the_api_guide_documents_every_error(kind: type[BrandDayError]) -> None:
    assert f"| `{kind.code}` | {kind.status} |" in GUIDE


def test_an_error_without_its_facts_cannot_be_raised() -> None:
    with pytest.raises(TypeError, match="SoldOut takes"):
        SoldOut()
    with pytest.raises(TypeError, match="CampaignPaused takes"):
        CampaignPaused(sku="HERO-1")


def test_the_raiser_knows_better_how_long_to_wait() -> None:
    assert CampaignPaused().retry_after_ms == CampaignPaused.wait_ms
    assert CampaignPaused(retry_after_ms=7).retry_after_ms == 7
    assert SoldOut(sku="HERO-1").retry_after_ms is None


@every_example
def test_an_error_survives_the_way_to_another_process(error: BrandDayError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.params, copy.errors, copy.retry_after_ms) == (
        type(error),
        error.params,
        error.errors,
        error.retry_after_ms,
    )
