"""Every field of a chat at every upstream: where it arrives, or that it is named."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError

from tests.matrix.asking import Notes
from tests.matrix.cells import Upstream
from tests.matrix.fields import FIELDS, LEFT_OUT, REFUSED, UNKNOWN
from tests.matrix.house import PLACES, House
from tests.matrix.openai_clients import open_sdk

pytestmark = pytest.mark.asyncio(loop_scope="module")

FATES = [(name, upstream) for name, field in FIELDS.items() for upstream in field.fates]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sdk(house: House) -> AsyncIterator[AsyncOpenAI]:
    """A client of Chat."""
    async with open_sdk(house.url, house.key, Notes()) as client:
        yield client


@pytest.mark.parametrize(("title", "upstream"), FATES)
async def test_field_arrives_or_is_named(
    title: str, upstream: Upstream, house: House, sdk: AsyncOpenAI
) -> None:
    """No field vanishes without a word, and none that the client would miss vanishes at all."""
    field, name = FIELDS[title], title if " " not in title else UNKNOWN
    fate = field.fates[upstream]
    house.mock.clear()
    asked: dict[str, Any] = {
        "model": PLACES[upstream].model,
        "messages": [{"role": "user", "content": "Hello there"}],
        "extra_body": {name: field.value},
    }
    if fate == REFUSED:
        with pytest.raises(BadRequestError) as caught:
            await sdk.chat.completions.create(**asked)
        assert caught.value.param == name
        assert len(house.mock.log) == 0
        return
    answer = await sdk.chat.completions.with_raw_response.create(**asked)
    named = answer.headers.get("x-slipstream-changed", "").split(", ")
    assert (name in named) is (fate == LEFT_OUT)
    if fate != LEFT_OUT:
        found = house.sent()
        for step in fate.split("."):
            found = found[step]
        assert found not in (None, [], {}, "")
    else:
        assert name not in house.sent()
