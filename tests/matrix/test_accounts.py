"""Our own account of every pair of dialects: what the upstream counted, whoever asked."""

from typing import Any, Final

import pytest

from tests.flows.ledger_rows import rows_of
from tests.matrix.asking import Ask, Counts
from tests.matrix.cells import CLIENTS, UPSTREAMS, Cell, Upstream
from tests.matrix.features import expected_counts, long_question
from tests.matrix.house import PLACES, House
from tests.matrix.scene import Scene
from tests.matrix.sdks import SDKS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAYED: Final[list[Upstream]] = [name for name in UPSTREAMS if name != "local"]


async def test_ledger_has_what_the_upstream_counted(house: House) -> None:
    """One row for each answer, plain and streamed, in the same buckets as the client was told."""
    expected: list[tuple[str, Counts]] = []
    for client in CLIENTS:
        sdk = SDKS[client](house.url, house.key)
        for upstream in PLAYED:
            scene = Scene(Cell("usage", client, upstream), sdk, house)
            for stream in (False, True):
                scene.script(text="word", tokens=7, reasoning=3, cached=60, cache_write=20)
                heard = await scene.ask(Ask((long_question(scene),), limit=64), stream=stream)
                assert heard.counts == expected_counts(scene)
                expected.append((PLACES[upstream].model, heard.counts))
        await sdk.close()
    rows = await rows_of(house.home, num=len(expected))
    assert [(f"{row['provider']}/{row['model']}", _counted(row)) for row in rows] == expected
    assert {row["state"] for row in rows} == {"complete"}


def _counted(row: dict[str, Any]) -> Counts:
    cached, written = row["cache_read_tokens"], row["cache_write_5m_tokens"]
    return Counts(
        input=row["input_tokens"] + cached + written,
        cached=cached,
        written=written,
        output=row["output_tokens"] + row["output_reasoning_tokens"],
        reasoning=row["output_reasoning_tokens"],
    )
