"""The same request through every SDK: Cerebras's and OpenAI's, Python and JavaScript.

A runner is one way to ask. Whatever it is, what comes back is one `Said`, whose body or chunks are
JSON as the SDK read them; the order of a stream's chunks is checked on the way.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import openai
import pytest
from cerebras.cloud.sdk import AsyncCerebras

from tests.sdks.gateway import Gateway
from tests.sdks.node_host import NodeHost

LIMIT_S: Final = 60.0
Sdk = Literal["cerebras", "openai"]

# What OpenAI's own client has no argument for: through extra_body, as the documents say.
NON_STANDARD: Final = frozenset(
    {
        "clear_thinking",
        "disable_reasoning",
        "min_completion_tokens",
        "min_tokens",
        "model_parameters",
        "reasoning_format",
    }
)


@dataclass(frozen=True)
class Sdks:
    """The Python SDKs' clients of one gateway.

    Any: requests are data here, which the overloads of `create` do not take.
    """

    gateway: Gateway
    cerebras: Any
    openai: Any


@dataclass(frozen=True)
class Runner:
    """One way to ask."""

    sdk: Sdk
    is_stream: bool = False
    is_async: bool = False
    is_node: bool = False


RUNNERS: Final = {
    "cerebras": Runner("cerebras"),
    "cerebras-stream": Runner("cerebras", is_stream=True),
    "cerebras-async": Runner("cerebras", is_async=True),
    "cerebras-async-stream": Runner("cerebras", is_stream=True, is_async=True),
    "openai": Runner("openai"),
    "openai-stream": Runner("openai", is_stream=True),
    "openai-async": Runner("openai", is_async=True),
    "openai-async-stream": Runner("openai", is_stream=True, is_async=True),
    "cerebras-js": Runner("cerebras", is_node=True),
    "cerebras-js-stream": Runner("cerebras", is_stream=True, is_node=True),
    "openai-js": Runner("openai", is_node=True),
    "openai-js-stream": Runner("openai", is_stream=True, is_node=True),
}
STREAMED: Final = [name for name, runner in RUNNERS.items() if runner.is_stream]
EACH_PLAIN_SDK: Final = ["cerebras-async", "openai", "cerebras-js", "openai-js"]
PAIR: Final = ["cerebras", "openai-js-stream"]
EACH_SDK: Final = ["cerebras", "openai-stream", "cerebras-js-stream", "openai-js"]

every_way = pytest.mark.parametrize("ask", list(RUNNERS), indirect=True)
every_stream = pytest.mark.parametrize("ask", STREAMED, indirect=True)
each_plain_sdk = pytest.mark.parametrize("ask", EACH_PLAIN_SDK, indirect=True)
in_a_pair = pytest.mark.parametrize("ask", PAIR, indirect=True)
each_sdk = pytest.mark.parametrize("ask", EACH_SDK, indirect=True)


@dataclass
class SaidChoice:
    """One choice of an answer, plain or put together from a stream."""

    text: str | None = None
    reasoning: str | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish: str | None = None
    tokens: list[dict[str, Any]] = field(default_factory=list)  # logprobs.content
    thought_tokens: list[dict[str, Any]] = field(default_factory=list)  # reasoning_logprobs.content


@dataclass
class Said:
    """A whole answer; `chunks` is empty where it was not streamed."""

    head: dict[str, Any]  # a body or last chunk
    choices: dict[int, SaidChoice]
    chunks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def only(self) -> SaidChoice:
        """The one choice that there is."""
        assert list(self.choices) == [0]
        return self.choices[0]

    @property
    def text(self) -> str:
        """Of the one choice; empty if it has none."""
        return self.only.text or ""

    @property
    def usage(self) -> dict[str, Any]:
        """What it cost."""
        usage: dict[str, Any] = self.head["usage"]
        return usage

    @property
    def details(self) -> dict[str, int]:
        """What became of the completion's tokens."""
        details: dict[str, int] = self.usage["completion_tokens_details"]
        return details

    @property
    def cached_tokens(self) -> int:
        """How many of the prompt's tokens were not computed."""
        cached: int = self.usage["prompt_tokens_details"]["cached_tokens"]
        return cached


Ask = Callable[..., Said]


def asking(runner: Runner, sdks: Sdks, node: NodeHost | None) -> Ask:
    """Return what asks in one way; its keywords are the fields of a request."""

    def ask(**body: Any) -> Said:
        if runner.is_stream:
            body["stream"] = True
        if node is not None:
            answer = node.run("ask", sdk=runner.sdk, body=body)
        else:
            arguments = arguments_for(runner.sdk, body)
            answer = asyncio.run(_later(sdks, runner.sdk, arguments)) if runner.is_async else None
            answer = answer or _at_once(sdks, runner.sdk, arguments)
        return joined(answer) if runner.is_stream else whole(answer)

    return ask


def arguments_for(sdk: Sdk, body: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `create` for a body."""
    if sdk == "cerebras":
        return body
    own = {key: value for key, value in body.items() if key not in NON_STANDARD}
    extra = {key: value for key, value in body.items() if key in NON_STANDARD}
    return own | ({"extra_body": extra} if extra else {})


def _at_once(sdks: Sdks, sdk: Sdk, arguments: dict[str, Any]) -> Any:
    client: Any = getattr(sdks, sdk)
    answer = client.chat.completions.create(**arguments)
    if not arguments.get("stream"):
        return answer.to_dict()
    with answer:
        return [chunk.to_dict() for chunk in answer]


async def _later(sdks: Sdks, sdk: Sdk, arguments: dict[str, Any]) -> Any:
    gateway = sdks.gateway
    options: Any = {"max_retries": 0, "timeout": LIMIT_S, "_strict_response_validation": True}
    clients: dict[str, Any] = {
        "cerebras": lambda: AsyncCerebras(api_key=gateway.key, base_url=gateway.url, **options),
        "openai": lambda: openai.AsyncOpenAI(
            api_key=gateway.key, base_url=gateway.openai_url, **options
        ),
    }
    async with clients[sdk]() as client:
        answer = await client.chat.completions.create(**arguments)
        if not arguments.get("stream"):
            return answer.to_dict()
        async with answer:
            return [chunk.to_dict() async for chunk in answer]


def whole(body: dict[str, Any]) -> Said:
    """Read a plain answer."""
    assert body["object"] == "chat.completion"
    choices = {}
    for each in body["choices"]:
        message = each["message"]
        assert message["role"] == "assistant"
        choices[each["index"]] = SaidChoice(
            message.get("content"),
            message.get("reasoning"),
            list(message.get("tool_calls") or ()),
            each["finish_reason"],
            *_told_tokens(each),
        )
    return Said(body, choices)


def joined(chunks: list[dict[str, Any]]) -> Said:
    """Put a stream of the Cerebras profile together, and check the order of its chunks."""
    check_order(chunks)
    said = Said(chunks[-1], {}, chunks)
    for chunk in chunks:
        for choice in chunk["choices"]:
            _add(said.choices.setdefault(choice["index"], SaidChoice()), choice)
    return said


def _add(said: SaidChoice, choice: dict[str, Any]) -> None:
    assert said.finish is None, "nothing follows the finish"
    delta = choice["delta"]
    if "content" in delta:
        said.text = (said.text or "") + delta["content"]
    if "reasoning" in delta:
        said.reasoning = (said.reasoning or "") + delta["reasoning"]
    for call in delta.get("tool_calls") or ():
        assert call["index"] == len(said.calls), "a call is whole in one delta"
        said.calls.append(call)
    told, thought = _told_tokens(choice)
    said.tokens += told
    said.thought_tokens += thought
    said.finish = choice.get("finish_reason")


def _told_tokens(choice: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    names = ("logprobs", "reasoning_logprobs")
    told, thought = (list((choice.get(name) or {}).get("content") or ()) for name in names)
    return told, thought


def check_order(chunks: list[dict[str, Any]]) -> None:
    """Check a stream as section 3.3 of the contract tells it: what comes when, and where."""
    first, last = chunks[0], chunks[-1]
    common = ("id", "created", "model", "system_fingerprint", "object")
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all(chunk[key] == first[key] for chunk in chunks for key in common)
    assert all(len(chunk["choices"]) == 1 for chunk in chunks)
    num_choices = len({chunk["choices"][0]["index"] for chunk in chunks})
    opening, middle = chunks[:num_choices], chunks[num_choices:-num_choices]
    for chunk in opening:
        [choice] = chunk["choices"]
        assert choice["delta"] == {"role": "assistant"}
        assert "finish_reason" not in choice
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in chunks[-num_choices:]]
    kinds = ("reasoning", "content", "tool_calls")
    for index in range(num_choices):
        deltas = [c["choices"][0]["delta"] for c in middle if c["choices"][0]["index"] == index]
        seen = [kinds.index(kind) for delta in deltas for kind in kinds if kind in delta]
        # A call that the limit cut is told as text, behind those that are whole.
        is_cut = finishes[index] == "length"
        assert is_cut or seen == sorted(seen), "reasoning, then content, then calls"
    assert not any("usage" in chunk or "time_info" in chunk for chunk in chunks[:-1])
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["finish_reason"]
    assert {"usage", "time_info"} <= last.keys()
