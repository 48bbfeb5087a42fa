"""What most tests of the ledger need."""

from pathlib import Path

import pytest

from tests.ledger.samples import new_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an installation with an empty ledger."""
    return new_home(tmp_path)
