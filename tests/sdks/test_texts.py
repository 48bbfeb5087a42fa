"""Text completions through every SDK, plain and streamed."""

import asyncio
from typing import Any

import pytest
from cerebras.cloud.sdk import AsyncCerebras, Cerebras

from tests.sdks.asking import LIMIT_S, Sdks
from tests.sdks.node_host import NodeHost
from tests.sdks.test_errors import made

ASKED: dict[str, Any] = {
    "model": "llama3.1-8b",
    "prompt": "Once upon a time",
    "max_tokens": 12,
    "temperature": 0,
}


@pytest.fixture(scope="module")
def expected(cerebras_client: Cerebras) -> str:
    """What the model goes on with."""
    answer: Any = cerebras_client.completions.create(**ASKED)
    text: str = answer.choices[0].text
    return text


def check(body: dict[str, Any], expected: str) -> None:
    """Check a plain answer."""
    [choice] = body["choices"]
    assert body["object"] == "text_completion"
    assert (choice["text"], choice["finish_reason"], choice["index"]) == (expected, "length", 0)
    assert body["usage"]["completion_tokens"] == 12
    assert body["time_info"]["total_time"] > 0


def check_stream(chunks: list[dict[str, Any]], expected: str) -> None:
    """Check all chunks of a stream."""
    said = "".join(chunk["choices"][0].get("text") or "" for chunk in chunks)
    assert said == expected
    assert len(chunks) > 2
    assert chunks[-1]["usage"]["completion_tokens"] == 12
    assert "time_info" in chunks[-1]
    assert len({chunk["id"] for chunk in chunks}) == 1


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_text_goes_on(sdks: Sdks, expected: str, sdk: str) -> None:
    """Plain and streamed are the same text."""
    client: Any = getattr(sdks, sdk)
    check(client.completions.create(**ASKED).to_dict(), expected)
    # OpenAI's types want a finish_reason in every chunk of a text, where Cerebras's have it last.
    client = sdks.cerebras if sdk == "cerebras" else made("openai", sdks.gateway)
    with client.completions.create(**ASKED, stream=True) as stream:
        check_stream([chunk.to_dict() for chunk in stream], expected)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_text_goes_on_in_javascript(node: NodeHost, expected: str, sdk: str) -> None:
    """The same by the JavaScript clients."""
    check(node.run("ask", sdk=sdk, resource="text", body=ASKED), expected)
    chunks = node.run("ask", sdk=sdk, resource="text", body={**ASKED, "stream": True})
    check_stream(chunks, expected)


def test_text_goes_on_without_blocking(sdks: Sdks, expected: str) -> None:
    """The same by the asynchronous client, several at once."""
    gateway = sdks.gateway

    async def both() -> None:
        async with AsyncCerebras(
            api_key=gateway.key, base_url=gateway.url, timeout=LIMIT_S, max_retries=0
        ) as client:
            answers: Any = await asyncio.gather(
                client.completions.create(**ASKED), client.completions.create(**ASKED, stream=True)
            )
            check(answers[0].to_dict(), expected)
            check_stream([chunk.to_dict() async for chunk in answers[1]], expected)

    asyncio.run(both())


def test_echo_logprobs_and_raw_tokens(sdks: Sdks, expected: str) -> None:
    """What only text completions have."""
    answer: Any = sdks.cerebras.completions.create(
        **ASKED, echo=True, logprobs=2, return_raw_tokens=False
    )
    [choice] = answer.choices

    assert choice.text == ASKED["prompt"] + expected
    assert "".join(choice.logprobs.tokens) == expected
    assert [len(top) for top in choice.logprobs.top_logprobs] == [2] * 12
    raw: Any = sdks.cerebras.completions.create(**ASKED, return_raw_tokens=True)
    assert len(raw.choices[0].tokens) == 12


def test_several_prompts_have_several_choices(sdks: Sdks, expected: str) -> None:
    """A list of prompts, each answered `n` times, in their order."""
    asked: Any = {**ASKED, "prompt": [ASKED["prompt"], "The sea is"], "n": 2}
    answer: Any = sdks.cerebras.completions.create(**asked)

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in answer.choices[:2]] == [expected] * 2
    assert answer.choices[2].text != expected
