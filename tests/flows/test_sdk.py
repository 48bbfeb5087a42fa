"""The official SDK's own habits: what it checks, closes, times and retries."""

import asyncio
import time

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from slipstream.upstream.http.settings import HttpSettings
from tests.flows.conftest import House, OpenHouse

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "one two three"}]


async def test_strict_validation_of_every_answer_passes(house: House) -> None:
    """What we answer ourselves and what we relay have exactly the SDK's types."""
    house.lab.script("text=alpha beta", requests=2)
    async with house.client(_strict_response_validation=True) as client:
        answer = await client.chat.completions.create(model="lab/any", messages=HELLO)
        stream = await client.chat.completions.create(
            model="lab/any", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        models = [model async for model in client.models.list()]
        one = await client.models.retrieve(models[0].id)

    assert answer.choices[0].message.content == "alpha beta"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "alpha beta"
    assert chunks[-1].usage is not None
    assert one == models[0]


async def test_streaming_response_gives_the_lines_as_they_come(house: House) -> None:
    """`with_streaming_response` reads headers first, then the body, through to its end."""
    house.lab.script("text=alpha beta")
    async with house.client() as client:
        opened = client.chat.completions.with_streaming_response.create(
            model="lab/any", messages=HELLO, stream=True
        )
        async with opened as response:
            assert response.headers["x-slipstream-target"] == "lab/any"
            lines = [line async for line in response.iter_lines() if line]

    assert lines[-1] == "data: [DONE]"


async def test_stream_closed_in_the_middle_closes_the_upstream(house: House) -> None:
    """`stream.close()` is the SDK's way to leave."""
    house.lab.script("rate=200,tokens=100000")
    async with house.client() as client:
        stream = await client.chat.completions.create(model="lab/any", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await house.lab.wait_for(lambda lab: lab.log[-1].ending is not None)

    assert house.lab.log[-1].ending == "client_closed_mid_stream"


async def test_timeout_of_the_client_closes_the_upstream(house: House) -> None:
    """A client that gives up by its own clock has left."""
    house.lab.script("delay=60")
    async with house.client(timeout=0.3) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(model="lab/any", messages=HELLO)
        await house.lab.wait_for(lambda lab: lab.log[-1].ending is not None)

    assert house.lab.log[-1].ending == "client_closed_before_first_byte"


async def test_sdk_retries_what_waiting_may_mend(house: House) -> None:
    """A busy provider is tried again after the time that it asked for."""
    house.lab.script("status=429,retry_after=1")
    began_s = time.monotonic()
    async with house.client(max_retries=1) as client:
        answer = await client.chat.completions.create(model="lab/any", messages=HELLO)

    assert answer.choices
    assert time.monotonic() - began_s >= 1.0
    assert len(house.lab.log) == 2


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("status=500", openai.InternalServerError),
        ("status=401", openai.InternalServerError),
        ("status=400", openai.BadRequestError),
        ("cut=20", openai.InternalServerError),
    ],
)
async def test_sdk_does_not_repeat_what_we_tried_already(
    house: House, behaviour: str, error: type[openai.APIStatusError]
) -> None:
    """Our own attempts are over when an error is rendered; the SDK's defaults would double them."""
    house.lab.script(behaviour, requests=5)
    async with house.client(max_retries=2) as client:
        with pytest.raises(error) as caught:
            await client.chat.completions.create(model="lab/any", messages=HELLO)

    assert caught.value.request_id is not None
    assert len(house.lab.log) == 1


async def test_error_in_a_stream_is_raised_by_the_sdk(house: House) -> None:
    """The last event of a broken stream is an error to the SDK, too."""
    house.lab.script("text=alpha beta gamma,error_after=3")
    async with house.client() as client:
        stream = await client.chat.completions.create(model="lab/any", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass


async def test_target_that_only_begins_is_replaced_in_time(open_house: OpenHouse) -> None:
    """An upstream that sends its role chunk and falls silent has not committed: the next is tried
    at the first_token deadline, and the client sees one whole answer."""
    async with open_house(deadlines="first_token_s = 0.5\nidle_s = 30.0") as house:
        house.lab.script("stall_after=1,text=never")
        house.spare.script("text=alpha beta")
        async with house.client() as client:
            raw = await client.chat.completions.with_raw_response.create(
                model="chain", messages=HELLO, stream=True
            )
            words = [chunk.choices[0].delta.content or "" async for chunk in raw.parse()]

    assert raw.headers["x-slipstream-target"] == "spare/second"
    assert raw.headers["x-slipstream-attempts"] == "2"
    assert "".join(words) == "alpha beta"


async def test_many_streams_at_once_all_end_and_leave_nothing(house: House) -> None:
    """500 streams at once: each is whole, and afterwards no connection or task is busy."""
    num, text = 500, " ".join(f"word{number}" for number in range(20))
    house.lab.script({"text": text, "rate": 40.0}, requests=num)
    max_idle = HttpSettings().max_idle_connections
    num_tasks = len(asyncio.all_tasks())
    async with house.client(timeout=60.0) as client:

        async def read() -> str:
            stream = await client.chat.completions.create(
                model="lab/any", messages=HELLO, stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream])

        answers = await asyncio.wait_for(asyncio.gather(*(read() for _ in range(num))), 60)

    assert set(answers) == {text}
    assert house.lab.stats.peak_active_requests > num / 2
    await house.lab.wait_for(lambda lab: lab.stats.active_requests == 0)
    await house.lab.wait_for(lambda lab: lab.stats.open_connections <= max_idle)
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) <= num_tasks + 2
