"""Every cell of the matrix, asked by the official SDKs over real sockets."""

from collections.abc import AsyncIterator
from typing import Any, Final

import anthropic
import openai
import pytest
import pytest_asyncio

from tests.matrix.asking import Ask, Client
from tests.matrix.cells import CELLS, Cell
from tests.matrix.features import ROWS, STREAMS
from tests.matrix.house import PLACES, House
from tests.matrix.scene import Scene
from tests.matrix.sdks import SDKS

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

_BOTH: Final = (False, True)
_ERRORS: Final[dict[str, Any]] = {"messages": anthropic}  # others are openai's
SUPPORTED: Final = [cell for cell in CELLS if cell.refusal is None]
REFUSED: Final = [cell for cell in CELLS if cell.refusal is not None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(house: House) -> AsyncIterator[dict[str, Client]]:
    """One client for each dialect."""
    opened: dict[str, Client] = {name: sdk(house.url, house.key) for name, sdk in SDKS.items()}
    yield opened
    for client in opened.values():
        await client.close()


def _scene(cell: Cell, house: House, clients: dict[str, Client]) -> Scene:
    house.mock.clear()
    return Scene(cell, clients[cell.client], house)


def _of(feature: str) -> list[Cell]:
    return [cell for cell in SUPPORTED if cell.feature == feature]


@pytest.mark.parametrize("cell", [cell for cell in SUPPORTED if cell.feature in ROWS], ids=str)
async def test_cell_is_supported(cell: Cell, house: House, clients: dict[str, Client]) -> None:
    """What is asked reaches the upstream, and what it answers reaches the client."""
    scene = _scene(cell, house, clients)
    for stream in STREAMS.get(cell.feature, _BOTH):
        await ROWS[cell.feature](scene, stream=stream)


@pytest.mark.parametrize("cell", REFUSED, ids=str)
async def test_cell_is_refused(cell: Cell, house: House, clients: dict[str, Client]) -> None:
    """With 400, by the name of the client's field; nothing is sent, but where bytes are relayed."""
    scene, refusal = _scene(cell, house, clients), cell.refusal
    assert refusal is not None
    for stream in STREAMS.get(cell.feature, _BOTH):
        house.mock.clear()
        sdk = _ERRORS.get(cell.client, openai)
        with pytest.raises(sdk.BadRequestError) as caught:
            await ROWS[cell.feature](scene, stream=stream)
        error: Any = caught.value
        if sdk is openai:
            assert error.param == refusal.field
        else:
            assert f"'{refusal.field}'" in error.message
        assert len(house.mock.log) == refusal.is_theirs
        assert error.response.headers["x-should-retry"] == "false"


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", _of("error_before"), ids=str)
async def test_error_before_the_first_token_is_the_sdks_own(
    cell: Cell, house: House, clients: dict[str, Client]
) -> None:
    """429 says when to come back, a refused request what is wrong, an overload that it is one."""
    sdk = _ERRORS.get(cell.client, openai)
    scene = _scene(cell, house, clients)
    for stream in _BOTH:
        if scene.is_local:
            await _refuse_long_prompt(scene, sdk, stream=stream)
            continue
        scene.script(status=429, retry_after=7)
        busy = await _refused(scene, sdk.RateLimitError, stream=stream)
        assert busy.response.headers["retry-after"] == "7"
        assert busy.response.headers["x-should-retry"] == "true"
        scene.script(status=400)
        wrong = await _refused(scene, sdk.BadRequestError, stream=stream)
        assert "this error was scripted, with status 400" in wrong.message
        scene.script(status=PLACES[cell.upstream].overload)
        is_told = cell.client == cell.upstream == "messages"
        kind = anthropic.OverloadedError if is_told else sdk.InternalServerError
        await _refused(scene, kind, stream=stream)


async def _refuse_long_prompt(scene: Scene, sdk: Any, *, stream: bool) -> None:
    long = " ".join(["word"] * 20_000)
    error = await _refused(scene, sdk.BadRequestError, long, stream=stream)
    if sdk is openai:
        assert error.code == "context_length_exceeded"
    else:
        assert "prompt is too long" in error.message


async def _refused(
    scene: Scene, kind: type[Exception], text: str = "Hello.", *, stream: bool
) -> Any:
    with pytest.raises(kind) as caught:
        await scene.ask(Ask((scene.client.user(text),), limit=64), stream=stream)
    return caught.value


@pytest.mark.parametrize("cell", _of("error_after"), ids=str)
async def test_error_after_the_first_token_raises_in_the_sdk(
    cell: Cell, house: House, clients: dict[str, Client]
) -> None:
    """An error that the upstream tells, or a stream that it cuts; what was said by then stays."""
    scene = _scene(cell, house, clients)
    said = " ".join(f"w{number}" for number in range(600))
    breaks: tuple[dict[str, object], ...] = ({"error_after": 15}, {"cut_body": 9000})
    for broken in breaks:
        scene.script(text=said, **broken)
        ask = Ask((scene.client.user("Count."),))
        text, _ = await scene.client.ask_until_error(scene.model, ask)
        assert text
        assert said.startswith(text)
        assert text != said
