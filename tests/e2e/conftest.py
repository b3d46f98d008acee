"""The whole local stack, started once for the tests that need it, next to whatever else runs on this machine."""

from collections.abc import Iterator

import pytest

from brandday_local.stack import LocalStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of the tests' own, on free ports."""
    with LocalStack.start(tmp_path_factory.mktemp("stack"), ports=False) as started:
        yield started
