"""E-mails: which addresses are taken, what is written, and what SES's answer means."""

import pytest
from pydantic import ValidationError

from brandday.connectors.email import EmailConnector, EmailOptions
from brandday.connectors.port import Accepted, Parcel, Refused, Tools, TryLater
from tests.fakes.backend import OPENS
from tests.fakes.clock import SettableClock
from tests.fakes.outside_world import OutsideWorld

OPTIONS = EmailOptions(to="prizes@partner.example")
PARCEL = Parcel("rwd_x", OPENS, {"sku": "HERO\r\nBcc: a@b.example", "quantity": 2, "title": {"zh-CN": "奖品"}})


def _outside() -> OutsideWorld:
    return OutsideWorld(SettableClock(OPENS))


def _tools(outside: OutsideWorld, sender: str = "brandday@shop.example") -> Tools:
    return Tools(outside, outside, outside, 10_000, email_sender=sender)


@pytest.mark.parametrize("to", ["a@b.example", "first.last+tag@sub.partner.example", "o'neil@partner.example"])
def test_these_are_addresses(to: str) -> None:
    assert EmailOptions(to=to).to == to


@pytest.mark.parametrize(
    "to",
    [
        "",
        "partner.example",
        "@partner.example",
        "a@",
        "a@b",
        "a@b.",
        "a@@b.example",
        "a b@c.example",
        "a@b.example, c@d.example",
        "Ann <a@b.example>",
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example\n",
        ".a@b.example",
        "a..b@c.example",
        "a@-b.example",
        "ü@b.example",
        "a@[127.0.0.1]",
        "a" * 65 + "@b.example",
        "a@" + "b." * 130 + "example",
    ],
)
def test_these_are_none(to: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EmailOptions(to=to)
    assert [error["loc"] for error in refused.value.errors()] == [("to",)]


def test_the_email_has_the_id_in_its_subject_and_its_header_and_all_facts_in_its_text() -> None:
    outside = _outside()

    assert EmailConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == Accepted("mail-1")

    ((sender, to, subject, text, headers),) = outside.emails
    assert (sender, to) == ("brandday@shop.example", "prizes@partner.example")
    assert subject == "Reward HERO Bcc: a@b.example x 2: rwd_x"  # on one line: no header can be smuggled in
    assert headers == {"X-Brandday-Delivery": "rwd_x"}
    assert "奖品" in text
    assert "rwd_x" in text


def test_a_deployment_without_a_sender_says_so_before_anything_is_applied() -> None:
    outside = _outside()

    assert "EmailSender" in EmailConnector.check(OPTIONS, _tools(outside, sender=""))["to"]
    assert EmailConnector.check(OPTIONS, _tools(outside)) == {}
    waiting = EmailConnector.deliver(PARCEL, OPTIONS, _tools(outside, sender=""), OPENS)
    assert waiting == TryLater("this deployment has no sender address", is_down=False)


def test_what_ses_refuses_has_failed_and_what_it_has_no_time_for_is_tried_later() -> None:
    outside = _outside()
    outside.aws_refuses = "MessageRejected"
    assert EmailConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == Refused("MessageRejected")
    outside.aws_is_busy = True
    assert EmailConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == TryLater("SES did not take it")


def test_all_email_fails_together_and_receipts_need_a_secret() -> None:
    signed = EmailOptions(to=OPTIONS.to, secret="brandday/nobody")

    assert EmailConnector.destination(OPTIONS) == EmailConnector.destination(signed) == "email"
    assert EmailConnector.receipt_secret(OPTIONS) is None
    assert EmailConnector.receipt_secret(signed) == "brandday/nobody"
    assert list(EmailConnector.check(signed, _tools(_outside()))) == ["secret"]
