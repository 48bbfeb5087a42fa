"""The real embedded model, prepared, for tests of the engine."""

from pathlib import Path

import pytest

from tests.prepared_model import prepared_directory


@pytest.fixture(scope="session")
def prepared_smollm2() -> Path:
    """Give the directory of the prepared smollm2-135m; read-only."""
    return prepared_directory()
