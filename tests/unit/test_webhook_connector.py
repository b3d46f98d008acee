"""Webhooks: what may be declared, what may be sent where, and what a partner's answer means."""

from typing import Any

import pytest
from pydantic import ValidationError

from brandday.connectors import CONNECTORS
from brandday.connectors.port import Accepted, HttpAnswer, NoAnswer, Parcel, Refused, Tools, TryLater, Verdict
from brandday.connectors.web_address import is_outside, is_public, parse_web_address
from brandday.connectors.webhook import WebhookConnector, WebhookOptions
from tests.fakes.backend import OPENS
from tests.fakes.clock import SettableClock
from tests.fakes.outside_world import PARTNER_SECRET, OutsideWorld, says

OPTIONS = WebhookOptions(url="https://partner.example/brandday", secret="brandday/partner")
PARCEL = Parcel("rwd_x", OPENS, {"reward_id": "rwd_x", "title": {"zh-CN": "奖品"}})


def _outside() -> OutsideWorld:
    return OutsideWorld(SettableClock(OPENS))


def _tools(outside: OutsideWorld) -> Tools:
    return Tools(outside, outside, outside, 10_000)


def _verdict(answer: HttpAnswer) -> Verdict:
    outside = _outside()
    outside.partner("partner.example", lambda *_: answer)
    return WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS)


def test_it_is_chosen_by_its_name() -> None:
    assert CONNECTORS["webhook"] is WebhookConnector
    assert list(CONNECTORS) == ["webhook", "sqs", "email"]


@pytest.mark.parametrize(
    "url",
    [
        "https://partner.example",
        "https://partner.example:8443/a/b?c=d&e=f",
        "https://PARTNER.example/",
        "https://xn--bcher-kva.example/",
        "https://93.184.216.34/hook",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
        "http://127.0.0.1:8080/hook",
    ],
)
def test_these_are_urls(url: str) -> None:
    assert WebhookOptions(url=url, secret="brandday/partner").url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partner.example",
        "//partner.example/",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "https:///path",
        "https://user:pw@partner.example/",
        "https://partner.example@evil.example/",
        "https://@partner.example/",
        "https://partner.example/#x",
        "https://partner.example/#",
        "https://partner.example:0/",
        "https://partner.example:65536/",
        "https://partner.example:/",
        "https://partner.example:http/",
        "https://partner.example /",
        "https://partner.example/\r\nX: y",
        "https://partner.example\\@evil.example/",
        "https://bücher.example/",
        "https://partner..example/",
        "https://partner.example./",
        "https://-partner.example/",
        "https://%31%32%37.0.0.1/",
        "https://2130706433/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.1/",
        "https://0x7f000001/",
        "https://127.0.0.01/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[127.0.0.1]/",
        "https://[v1.x]/",
        "https://" + "a" * 64 + ".example/",
        "https://partner.example/" + "x" * 2048,
    ],
)
def test_these_are_not(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookOptions(url=url, secret="brandday/partner")
    assert [error["loc"] for error in refused.value.errors()] == [("url",)]


@pytest.mark.parametrize(
    "secret", ["", "partner", "brandday/", "brandday/a b", "other/partner", "brandday/" + "x" * 200]
)
def test_secrets_are_named_under_brandday(secret: str) -> None:
    with pytest.raises(ValidationError):
        WebhookOptions(url=OPTIONS.url, secret=secret)


@pytest.mark.parametrize("extra", [{"timeout": 3}, {"url": 3}, {}])
def test_options_are_strict(extra: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebhookOptions(**({"url": OPTIONS.url} | extra))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_these_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)
    assert not is_outside(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"])
def test_these_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["localhost", "a.localhost", "printer.local", "metadata.google.internal", "intranet", "nas.lan", "x.home.arpa"],
)
def test_these_names_are_of_the_inside(host: str) -> None:
    assert not is_outside(host)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Partner.example:443/a?b", "https://partner.example"),
        ("https://partner.example:8443/a", "https://partner.example:8443"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
    ],
)
def test_paths_of_one_server_share_a_breaker(url: str, origin: str) -> None:
    options = WebhookOptions(url=url, secret="brandday/partner")
    assert WebhookConnector.destination(options) == origin


def test_the_target_is_asked_for_as_it_was_declared() -> None:
    assert parse_web_address("https://a.example?x=%2F").target == "/?x=%2F"
    assert parse_web_address("https://a.example/b//c?x").target == "/b//c?x"


def test_before_it_is_applied_the_secret_and_the_host_are_looked_at() -> None:
    outside = _outside()
    outside.partner("partner.example")
    assert WebhookConnector.check(OPTIONS, _tools(outside)) == {}

    outside.private.add("partner.example")
    outside.secrets = {"brandday/partner": (b"whsec_%", PARTNER_SECRET)}
    assert WebhookConnector.check(OPTIONS, _tools(outside)) == {
        "url": "the host leads to a private address",
        "secret": "secret 'brandday/partner' is not base64 after whsec_",
    }
    outside.private.clear()
    outside.partners.clear()
    outside.secrets = {}
    assert WebhookConnector.check(OPTIONS, _tools(outside)) == {
        "url": "the host name is not known",
        "secret": "there is no secret 'brandday/partner' in Secrets Manager",
    }
    assert WebhookConnector.receipt_secret(OPTIONS) == "brandday/partner"


def test_the_request_is_that_of_standard_webhooks() -> None:
    outside = _outside()
    partner = outside.partner("partner.example")

    assert isinstance(WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS + 1234), Accepted)

    (delivery,) = partner.received
    assert delivery.body.decode() == (
        '{"type":"reward.granted","timestamp":"2026-07-08T16:00:00.000Z",'
        '"data":{"reward_id":"rwd_x","title":{"zh-CN":"奖品"}}}'
    )
    assert delivery.headers["webhook-id"] == "rwd_x"
    assert delivery.headers["webhook-timestamp"] == str((OPENS + 1234) // 1000)
    assert delivery.headers["content-type"] == "application/json"


def test_a_partner_with_the_old_secret_or_the_new_one_takes_it() -> None:
    for known in (b"old secret", b"new secret"):
        outside = _outside()
        outside.secrets = {"brandday/partner": (b"new secret", b"old secret")}
        outside.partner("partner.example").secrets = (known,)
        assert isinstance(WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS), Accepted)


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        ('{"reference":"A-1"}', "A-1"),
        ('{"id":"A-1"}', "A-1"),
        ('{"id":17}', "17"),
        ('{"id":{"a":1}}', None),
        ('{"id":""}', None),
        ('{"reference":"a\\u0000\\nb"}', "a b"),
        ('{"id":"' + "x" * 500 + '"}', "x" * 100),
        ("[1]", None),
        ("OK", None),
        ("", None),
        ("[" * 4000, None),
    ],
)
def test_a_reference_is_kept_if_there_is_one(body: str, reference: str | None) -> None:
    assert _verdict(HttpAnswer(201, {}, body)) == Accepted(reference)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_two_hundreds_are_accepted(status: int) -> None:
    assert _verdict(HttpAnswer(status, {}, "")) == Accepted()


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 403, 404, 409, 410, 413, 422])
def test_these_are_refusals(status: int) -> None:
    assert _verdict(HttpAnswer(status, {"location": "https://127.0.0.1/"}, "no\x1b[31m")) == Refused(
        f"{status} no [31m"
    )


@pytest.mark.parametrize(
    ("status", "is_down"), [(408, False), (425, False), (429, True), (500, True), (502, True), (503, True), (599, True)]
)
def test_these_may_work_later(status: int, is_down: bool) -> None:
    assert _verdict(HttpAnswer(status, {"retry-after": "7"}, "")) == TryLater(str(status), 7000, is_down)


def test_no_answer_and_a_host_that_suddenly_leads_inside_may_work_later() -> None:
    outside = _outside()

    def silent(*_: object) -> HttpAnswer:
        raise NoAnswer("time-out")

    outside.partner("partner.example", silent)
    assert WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == TryLater("time-out")
    outside.private.add("partner.example")
    assert WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == TryLater(
        "the host leads to a private address"
    )


def test_a_broken_secret_is_put_right_by_the_next_one() -> None:
    outside = _outside()
    outside.secrets = {"brandday/partner": (PARTNER_SECRET, b"whsec_%")}
    outside.partner("partner.example")
    assert WebhookConnector.check(OPTIONS, _tools(outside)) == {}
    assert isinstance(WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS), Accepted)


def test_nothing_is_sent_that_cannot_be_signed() -> None:
    for secrets in ({}, {"brandday/partner": (b"whsec_%", PARTNER_SECRET)}):
        outside = _outside()
        outside.secrets = dict(secrets)
        partner = outside.partner("partner.example", says(200))
        verdict = WebhookConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS)
        assert isinstance(verdict, TryLater)
        assert not verdict.is_down
        assert partner.received == []
