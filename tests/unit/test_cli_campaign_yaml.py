"""Campaign files: every kind of broken YAML is refused with its line, and nothing in it is taken for something else."""

import json
from pathlib import Path

import pytest
import yaml

from brandday_cli.campaign_yaml import MAX_BYTES, CampaignSource, FileRefused, read_campaign_file
from tests.fakes.declarations import declared, document

GOOD = yaml.safe_dump(document(), sort_keys=False, allow_unicode=True)


def read(folder: Path, content: str | bytes) -> CampaignSource:
    file = folder / "campaign.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_campaign_file(file)


def refused(folder: Path, content: str | bytes) -> list[str]:
    """What is wrong, without the folder."""
    with pytest.raises(FileRefused) as error:
        read(folder, content)
    return [str(problem).removeprefix(f"{folder}/") for problem in error.value.problems]


def test_a_good_file_is_read_as_declared(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).declared.to_campaign() == declared()


def test_times_need_no_quotes(tmp_path: Path) -> None:
    text = GOOD.replace("'2026-11-09T00:00:00'", "2026-11-09T00:00:00")
    assert text != GOOD
    assert read(tmp_path, text).declared.to_campaign() == declared()


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()).declared.id == declared().id


def test_json_is_yaml_too(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(document())).declared.to_campaign() == declared()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "campaign.yaml:1: must be a mapping of fields"),
        ("- a\n- b\n", "campaign.yaml:1: must be a mapping of fields"),
        ("just text", "campaign.yaml:1: must be a mapping of fields"),
        ("id: a\n  title: b: c\n", "campaign.yaml:2: is not valid YAML: "),
        ("id: [a\n", "campaign.yaml:2: is not valid YAML: "),
        ("id: a\n---\nid: b\n", "campaign.yaml:2: is not valid YAML: but found another document"),
        ("id: a\ntitle: x\nid: b\n", "campaign.yaml:3: id: is there twice, first in line 1; remove one"),
        ("skus:\n- sku: A\n  stock: 1\n  stock: 2\n", "campaign.yaml:4: stock: is there twice, first in line 3"),
        ("id: &x abc\ntitle: *x\n", "campaign.yaml:1: anchors and aliases (& *) are not read; write it out"),
        ("id: !!python/object:os.system abc\n", "campaign.yaml:1: "),
        (b"\xff\xfe\x00", "campaign.yaml: is not text in UTF-8; save it as such"),
        (b"id: a\x00b", "campaign.yaml: is not valid YAML: "),
        (b"#" * (MAX_BYTES + 1), "campaign.yaml: is larger than 131072 bytes"),
        ("[" * 5_000, "campaign.yaml: is nested too deeply"),
    ],
    ids=[
        "empty",
        "a list",
        "text",
        "bad indentation",
        "unclosed",
        "two documents",
        "a key twice",
        "a key twice inside",
        "an anchor",
        "a python object",
        "not utf-8",
        "a null byte",
        "too large",
        "too deep",
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, content: str | bytes, expected: str) -> None:
    said = refused(tmp_path, content)
    assert any(problem.startswith(expected) for problem in said), said


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("stock: 100", "stock: 0x10", None),
        ("stock: 100", "stock: 1_000", None),
        ("stock: 100", "stock: 012", None),
        ("stock: 100", "stock: 1e3", "must be a whole number, not a number with decimals"),
        ("stock: 100", "stock: .inf", "must be a whole number, not a number with decimals"),
        ("stock: 100", "stock: .nan", "must be a whole number, not a number with decimals"),
        ("stock: 100", "stock: '100'", "must be a whole number, not text"),
        ("stock: 100", "stock: yes", "must be a whole number, not text"),
        ("stock: 100", "stock: true", "must be a whole number, not true or false"),
        ("stock: 100", "stock:", "must be a whole number, not nothing"),
        ("sku: HERO-1", "sku: 1", "must be text, not a number; put it in quotes"),
    ],
)
def test_values_are_what_yaml_1_2_says_and_nothing_is_guessed(
    tmp_path: Path, before: str, after: str, expected: str | None
) -> None:
    text = GOOD.replace(before, after)
    assert text != GOOD
    if expected is None:
        read(tmp_path, text)
    else:
        line = 1 + next(number for number, written in enumerate(text.split("\n")) if after in written)
        (said,) = refused(tmp_path, text)
        assert said.startswith(f"campaign.yaml:{line}: skus[0].")
        assert expected in said


def test_a_field_that_is_missing_is_reported_at_the_mapping_around_it(tmp_path: Path) -> None:
    text = GOOD.replace("  units_per_shopper: 2\n", "")
    line = 1 + text.split("\n").index("- sku: CREAM-2")
    assert refused(tmp_path, text) == [f"campaign.yaml:{line}: skus[1].units_per_shopper: is missing; add it"]


def test_problems_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    said = refused(tmp_path, GOOD.replace("hold_seconds: 600", "hold_seconds: 1").replace("stock: 50", "stock: 0"))
    assert ["hold_seconds" in problem for problem in said] == [False, True]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"nowhere\.yaml: cannot be read: No such file"):
        read_campaign_file(tmp_path / "nowhere.yaml")
