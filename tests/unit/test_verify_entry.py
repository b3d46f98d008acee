"""The script for one's own entry: it shares no code with the product, and finds whatever was changed in a proof."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_receipt import at, leaves, other_values, proof_of_entry, proof_of_ticket, tampered

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_entry.py"

type Made = tuple[dict[str, Any], str, list[str]]
"""A proof, the published root and the hashes of the published prize tables."""


def load() -> Any:
    spec = importlib.util.spec_from_file_location("verify_entry", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load()


def page_of(root: str, hashes: list[str], commitment: str) -> dict[str, Any]:
    """What `GET .../draw` shows to everybody, as far as a proof is held against it."""
    return {"commitment": commitment, "tables": [{"hash": each} for each in hashes], "sealed": {"root": root}}


def problems(proof: dict[str, Any], page: dict[str, Any], kept: dict[str, Any] | None = None) -> list[str]:
    try:
        found: list[str] = script.check(proof, page, kept)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return ["cannot be read"]
    return found


@pytest.mark.parametrize("make", [proof_of_ticket, proof_of_entry])
def test_whatever_was_changed_is_found(make: Callable[[], Made]) -> None:
    proof, root, hashes = make()
    commitment = proof["facts"]["commitment"]
    page = page_of(root, hashes, commitment)
    assert problems(proof, page, proof["facts"]) == []
    assert problems(proof, page_of("00" * 32, hashes, commitment))
    assert problems(proof, page_of(root, ["00" * 32] * len(hashes), commitment))
    assert problems(proof, page_of(root, hashes, "00" * 32))
    assert problems(proof, page, {**proof["facts"], "at": 1})
    # The list of a draw has no times: who kept the facts sees them changed, others have no use for them.
    ignored = {("facts", "at"), ("facts", "table")} if make is proof_of_ticket else set()
    for path in leaves(proof):
        for value in other_values(at(proof, path)):
            changed = tampered(proof, path, value)
            assert problems(changed, page) or path in ignored, (path, value)
            assert problems(changed, page, proof["facts"]), (path, value)


def test_it_says_so_in_words_and_by_its_exit_code(tmp_path: Path) -> None:
    proof, root, hashes = proof_of_entry()
    files = {"proof": proof, "draw": page_of(root, hashes, proof["facts"]["commitment"]), "kept": proof["facts"]}
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))

    def run() -> subprocess.CompletedProcess[str]:
        names = (SCRIPT, tmp_path / "proof", tmp_path / "draw", "--kept", tmp_path / "kept")
        command = [sys.executable, "-I", *map(str, names)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    said = run()
    assert (said.returncode, said.stdout.split(":")[0], said.stderr) == (0, "All of it holds", "")
    (tmp_path / "kept").write_text(json.dumps({**proof["facts"], "at": 1}))
    said = run()
    assert (said.returncode, said.stdout) == (1, "these are not the facts that you were answered\n")
    (tmp_path / "proof").write_text("{}")
    said = run()
    assert (said.returncode, said.stdout[:17], said.stderr) == (1, "it cannot be read", "")
