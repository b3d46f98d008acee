"""Load goes to this machine, and elsewhere only where somebody has said so twice, and how much."""

import pytest

from tests.load.bounds import BY_DEFAULT, Bounds, LoadRefused, read_bounds

ABROAD = "https://abc.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566/x", "http://localhost:8080", "http://[::1]:80"])
def test_this_machine_may_always_be_loaded(url: str) -> None:
    assert read_bounds(url, {}) == Bounds(local=True, requests=BY_DEFAULT)


@pytest.mark.parametrize("named", [{}, {"LOAD_ALLOW_HOST": "other.example"}, {"LOAD_ALLOW_HOST": ABROAD}])
def test_another_host_has_to_be_named(named: dict[str, str]) -> None:
    with pytest.raises(LoadRefused, match=r"set LOAD_ALLOW_HOST=abc\.execute-api"):
        read_bounds(ABROAD, named)


def test_a_named_host_is_loaded_within_a_bound() -> None:
    environment = {"LOAD_ALLOW_HOST": "abc.execute-api.eu-west-1.amazonaws.com", "LOAD_MOST_REQUESTS": "500"}
    assert read_bounds(ABROAD, environment) == Bounds(local=False, requests=500)


@pytest.mark.parametrize("number", ["0", "-1", "many", ""])
def test_a_bound_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(LoadRefused, match="LOAD_MOST_REQUESTS"):
        read_bounds("http://127.0.0.1", {"LOAD_MOST_REQUESTS": number})


@pytest.mark.parametrize("url", ["", "example.com", "/v1"])
def test_a_base_url_has_a_host(url: str) -> None:
    with pytest.raises(LoadRefused, match="--host"):
        read_bounds(url, {})
