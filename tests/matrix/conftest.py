"""One gateway for each module of this folder."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.matrix.house import House, open_house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The gateway, the scripted upstream and our own model."""
    async with open_house(tmp_path_factory.mktemp("matrix")) as opened:
        yield opened
