"""The scripted upstream as the model of an agent: it calls a tool, gets its result and says it."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.upstream.scripted_named import VERSION, post

SHELL: Any = {
    "type": "object",
    "properties": {
        "seconds": {"type": "number"},
        "why": {"type": "string"},
        "command": {"type": "string"},
    },
    "required": ["seconds", "command"],
}
GIVEN = {"seconds": 0, "command": "ls -l"}
SAID = "It says: {results}"


class Row(NamedTuple):
    """How one dialect offers tools, and hands results back; `turns` begins with the user's."""

    path: str
    field: str
    user: Any
    tools: Any
    more: Any

    def asked(self, *turns: Any) -> Any:
        """Return a request."""
        return {self.field: [self.user, *turns], "tools": self.tools, **self.more}


CHAT_TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": SHELL}}
    for name in ("other", "Bash")
]
USER: Any = {"role": "user", "content": "Use other."}
ROWS = {
    "chat": Row("/v1/chat/completions", "messages", USER, CHAT_TOOLS, {"model": "m"}),
    "cerebras": Row(
        "/cerebras/v1/chat/completions", "messages", USER, CHAT_TOOLS, {"model": "zai-glm-4.7"}
    ),
    "messages": Row(
        "/anthropic/v1/messages",
        "messages",
        USER,
        [{"name": name, "input_schema": SHELL} for name in ("other", "Bash")],
        {"model": "m", "max_tokens": 100},
    ),
    "responses": Row(
        "/v1/responses",
        "input",
        USER,
        [
            {"type": "function", "name": name, "parameters": SHELL, "strict": False}
            for name in ("other", "Bash")
        ],
        {"model": "m"},
    ),
    "gemini": Row(
        "/gemini/v1beta/models/m:generateContent",
        "contents",
        {"role": "user", "parts": [{"text": "Use other."}]},
        [
            {
                "functionDeclarations": [
                    {"name": name, "parametersJsonSchema": SHELL} for name in ("other", "Bash")
                ]
            }
        ],
        {},
    ),
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream() as running:
        yield running


def calls_of(dialect: str, answer: Any) -> list[tuple[str, Any]]:
    """Return the calls that an answer makes: names and arguments."""
    match dialect:
        case "messages":
            found = [b for b in answer["content"] if b["type"] == "tool_use"]
            return [(block["name"], block["input"]) for block in found]
        case "responses":
            return [(item["name"], json.loads(item["arguments"])) for item in answer["output"]]
        case "gemini":
            parts = [part["functionCall"] for part in answer["candidates"][0]["content"]["parts"]]
            return [(part["name"], part["args"]) for part in parts]
    functions = [call["function"] for call in answer["choices"][0]["message"]["tool_calls"]]
    return [(each["name"], json.loads(each["arguments"])) for each in functions]


def turns_of(dialect: str, answer: Any, *texts: str) -> list[Any]:
    """Return an answer and the results of its calls as the next request has them."""
    match dialect:
        case "messages":
            ids = [block["id"] for block in answer["content"]]
            results = [
                {"type": "tool_result", "tool_use_id": i, "content": text}
                for i, text in zip(ids, texts, strict=True)
            ]
            said = {"role": "assistant", "content": answer["content"]}
            # What an agent says besides may follow.
            told = [*results, {"type": "text", "text": "Go on."}]
            return [said, {"role": "user", "content": told}, {"role": "system", "content": "x"}]
        case "responses":
            ids = [item["call_id"] for item in answer["output"]]
            outputs = [
                {"type": "function_call_output", "call_id": i, "output": text}
                for i, text in zip(ids, texts, strict=True)
            ]
            return [*answer["output"], *outputs, {"role": "developer", "content": "x"}]
        case "gemini":
            responses = [
                {"functionResponse": {"name": "Bash", "response": {"result": text}}}
                for text in texts
            ]
            said = answer["candidates"][0]["content"]
            return [said, {"role": "user", "parts": responses}]
    said = answer["choices"][0]["message"]
    ids = [call["id"] for call in said["tool_calls"]]
    return [
        said,
        *(
            {"role": "tool", "tool_call_id": i, "content": text}
            for i, text in zip(ids, texts, strict=True)
        ),
        *([] if dialect == "cerebras" else [{"role": "system", "content": "x"}]),
    ]


def text_of(dialect: str, answer: Any) -> str:
    """Return what an answer says."""
    match dialect:
        case "messages":
            return "".join(block["text"] for block in answer["content"])
        case "responses":
            return "".join(part["text"] for item in answer["output"] for part in item["content"])
        case "gemini":
            parts = answer["candidates"][0]["content"]["parts"]
            return "".join(part["text"] for part in parts)
    text: str = answer["choices"][0]["message"]["content"]
    return text


async def ask(upstream: ScriptedUpstream, row: Row, body: Any) -> Any:
    """Return the answer to a request."""
    wire = await post(upstream, row.path, body)
    assert wire.status == 200, wire.body
    return wire.document


@pytest.mark.parametrize("dialect", ROWS)
async def test_tool_is_called_until_its_result_is_there(
    upstream: ScriptedUpstream, dialect: str
) -> None:
    """One behaviour plays a whole loop, whatever stands behind the results."""
    row = ROWS[dialect]
    upstream.script({"tool": "Bash", "arguments": "ls -l", "text": SAID}, requests=2)
    called = await ask(upstream, row, row.asked())
    assert calls_of(dialect, called) == [("Bash", GIVEN)]
    turns = turns_of(dialect, called, "a.txt\nb.txt")
    answer = await ask(upstream, row, row.asked(*turns))
    assert text_of(dialect, answer) == "It says: a.txt\nb.txt"


@pytest.mark.parametrize("dialect", ROWS)
async def test_arguments_in_an_array_are_calls_at_once(
    upstream: ScriptedUpstream, dialect: str
) -> None:
    """An object is taken as it is; the results come in their order."""
    row = ROWS[dialect]
    arguments = json.dumps(["ls -l", {"command": "pwd"}])
    upstream.script({"tool": "Bash", "arguments": arguments}, requests=2)
    called = await ask(upstream, row, row.asked())
    assert calls_of(dialect, called) == [("Bash", GIVEN), ("Bash", {"command": "pwd"})]
    answer = await ask(upstream, row, row.asked(*turns_of(dialect, called, "one", "two")))
    assert text_of(dialect, answer) == "one\ntwo"


async def test_tool_in_a_namespace_is_found_and_takes_text(upstream: ScriptedUpstream) -> None:
    """A custom tool gets the text as it is, and keeps its namespace."""
    inner = {"type": "custom", "name": "exec", "description": "Runs."}
    space = {"type": "namespace", "name": "functions", "description": "", "tools": [inner]}
    upstream.script({"tool": "exec", "arguments": 'text("{}")'}, requests=1)
    body = {"model": "m", "input": "hi", "tools": [space]}
    [call] = (await ask(upstream, ROWS["responses"], body))["output"]
    assert (call["type"], call["namespace"], call["name"], call["input"]) == (
        "custom_tool_call",
        "functions",
        "exec",
        'text("{}")',
    )


async def test_tool_that_is_not_offered_is_words(upstream: ScriptedUpstream) -> None:
    """What an agent asks besides, such as a title, is answered."""
    row = ROWS["chat"]
    upstream.script({"tool": "Gone", "text": SAID}, requests=2)
    answer = await ask(upstream, row, row.asked())
    assert text_of("chat", answer) == "It says: "
    answer = await ask(upstream, row, row.asked() | {"tool_choice": "none"})
    assert text_of("chat", answer) == "It says: "


async def test_text_for_a_tool_that_takes_none_is_refused(upstream: ScriptedUpstream) -> None:
    """A script that cannot be played is an error that says why."""
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
    upstream.script({"tool": "now", "arguments": "ls"}, requests=1)
    body = {"model": "m", "messages": [USER], "tools": [tool]}
    wire = await post(upstream, "/v1/chat/completions", body)
    assert wire.status == 400
    assert "no property takes the text 'ls'" in wire.document["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "beta", "field"),
    [
        (
            {"messages": [USER | {"output_config": {"effort": "low"}}]},
            "per-turn-control-2026-07-01",
            "messages.0.output_config",
        ),
        (
            {"thinking": {"type": "adaptive", "display": "updates"}},
            "thinking-display-updates-2026-08-18",
            "thinking.display",
        ),
    ],
)
async def test_fields_of_betas_need_their_header(
    upstream: ScriptedUpstream, fields: Any, beta: str, field: str
) -> None:
    """What Claude Code sends is taken with its header only, so a relay that loses it is seen."""
    body = {"model": "m", "max_tokens": 9, "messages": [USER]} | fields
    wire = await post(upstream, "/v1/messages", body)
    assert wire.status == 400
    assert wire.document["error"]["message"].startswith(f"{field}: ")
    betas = ("anthropic-beta", f"other-2026-01-01,{beta}")
    wire = await post(upstream, "/v1/messages", body, "", VERSION, betas)
    assert wire.status == 200
