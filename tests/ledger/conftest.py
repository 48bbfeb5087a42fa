"""What most tests of the ledger need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.metering_scene import Books
from tests.ledger.samples import new_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an installation with an empty ledger."""
    return new_home(tmp_path)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Give a journal of its own to each test."""
    books = Books(tmp_path)
    yield books
    books.journal.close()
