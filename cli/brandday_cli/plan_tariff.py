"""Prices and quotas, read from the two dated files beside this module."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars; see `prices.yaml`."""

    api_requests_per_million: float
    lambda_requests_per_million: float
    lambda_gb_second: float
    provisioned_gb_second: float
    provisioned_work_gb_second: float
    write_units_per_million: float
    read_units_per_million: float
    sqs_requests_per_million: float
    log_gb: float
    data_out_gb: float
    redis_node_hour: float


@dataclass(frozen=True, slots=True)
class Quotas:
    """What an account has before anybody asks for more; see `quotas.yaml`."""

    api_requests_per_second: int
    lambda_concurrency: int
    lambda_requests_per_environment: int
    lambda_growth: int
    lambda_growth_seconds: int
    table_write_units: int
    table_read_units: int
    partition_write_units: int
    partition_read_units: int
    warm_write_units: int
    warm_read_units: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """Both, with where and when they are from."""

    prices: Prices
    quotas: Quotas
    region: str
    prices_as_of: date
    quotas_as_of: date
    pages: tuple[str, ...]


def read_tariff() -> Tariff:
    """Read both files; a figure that is missing or unknown is a TypeError."""
    prices, quotas = _read("prices.yaml"), _read("quotas.yaml")
    return Tariff(
        prices=Prices(**prices["prices"]),
        quotas=Quotas(**quotas["quotas"]),
        region=prices["region"],
        prices_as_of=prices["as_of"],
        quotas_as_of=quotas["as_of"],
        pages=(*prices["pages"], *quotas["pages"].values()),
    )


def _read(name: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = YAML(typ="safe").load((files("brandday_cli") / name).read_text("utf-8"))
    return document
