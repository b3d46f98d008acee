"""Whose address counts: the connection's, unless the edge itself says whose it is."""

from collections.abc import Sequence

import pytest

from brandday.entrypoints.client_address import client_address

EDGE = "203.0.113.9"
VIEWER = "198.51.100.7"
SECRETS = (b"the new one", b"the one before")


def _secrets() -> Sequence[bytes]:
    return SECRETS


def _never() -> Sequence[bytes]:
    raise AssertionError("was asked for")


def _behind(secret: str | None, viewer: str | None = VIEWER) -> dict[str, str]:
    shown = {"edge-secret": secret, "viewer-address": viewer}
    return {name: value for name, value in shown.items() if value is not None}


@pytest.mark.parametrize("secret", ["the new one", "the one before"])
def test_behind_the_edge_the_viewers_address_counts(secret: str) -> None:
    assert client_address(EDGE, _behind(secret), _secrets) == VIEWER


@pytest.mark.parametrize(
    "secret", ["", "the new", "the new one ", "THE NEW ONE", "tïe new one", "\ud800", None], ids=repr
)
def test_who_does_not_know_the_secret_cannot_choose_an_address(secret: str | None) -> None:
    assert client_address(EDGE, _behind(secret), _secrets) == EDGE


def test_an_empty_secret_opens_nothing() -> None:
    assert client_address(EDGE, _behind("x"), lambda: (b"", b"y")) == EDGE
    assert client_address(EDGE, _behind(""), lambda: (b"",)) == EDGE


def test_without_an_edge_nothing_is_asked_for_and_the_connection_counts() -> None:
    assert client_address(EDGE, _behind("the new one"), None) == EDGE
    assert client_address(EDGE, {"viewer-address": VIEWER, "x-forwarded-for": VIEWER}, _never) == EDGE


@pytest.mark.parametrize("viewer", [None, "", "unknown", f"{VIEWER}, 10.0.0.1", f"{VIEWER}:443"], ids=repr)
def test_what_is_no_address_is_none(viewer: str | None) -> None:
    assert client_address(EDGE, _behind("the new one", viewer), _secrets) == EDGE


@pytest.mark.parametrize(
    ("written", "normal"), [("2001:DB8:0::7", "2001:db8::7"), (" 198.51.100.7", VIEWER), ("somewhere", "")]
)
def test_a_viewers_address_has_one_form(written: str, normal: str) -> None:
    assert client_address(EDGE, _behind("the new one", written), _secrets) == (normal or EDGE)
