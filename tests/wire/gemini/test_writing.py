"""Tests of slipstream.wire.gemini.writing."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import Unsupported
from slipstream.wire.gemini.writing import write_asked
from slipstream.wire.talk.asking import Asked, Seal, Target, Text, Turn
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice

HELLO = Turn("user", (Text("hello"),))
HELLO_CONTENT = {"role": "user", "parts": [{"text": "hello"}]}
TOOL = Tool(name="f", description="d", schema='{"type":"object","$ref":"#/a"}', strict=True)
SIGNED = Seal(vendor="gemini", kind="thought_signature", data="sig")
FOREIGN = Seal(vendor="anthropic", kind="signature", data="x")


def write(model: str = "gemini-3-pro", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    efforts = fields.pop("efforts", ())
    fields = {"dialect": "openai_chat", "model": "m", "turns": (HELLO,), **fields}
    target = Target(vendor="gemini", model=model, efforts=efforts)
    written = write_asked(Asked(**fields), target)
    return msgspec.json.decode(written.body), written.changes


def test_write_asked_smallest_request_adds_nothing() -> None:
    """The model is in the address; what was not asked for is not sent."""
    assert write() == ({"contents": [HELLO_CONTENT]}, ())


def test_write_asked_config_has_googles_names() -> None:
    """Limits and sampling have other names; what Gemini has not is named."""
    body, changes = write(
        max_tokens=5,
        num_choices=2,
        sampling=Sampling(
            temperature=0.5,
            top_p=0.9,
            top_k=3,
            min_p=0.1,
            seed=1,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            stop=("1", "2", "3", "4", "5", "6"),
            logprobs=True,
            top_logprobs=2,
        ),
        prediction="p",
        cache_key="k",
        user="u",
        metadata={},
        verbosity="low",
        service_tier="default",
        extras={"store": msgspec.Raw(b"true")},
    )
    assert body["generationConfig"] == {
        "maxOutputTokens": 5,
        "candidateCount": 2,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 3,
        "seed": 1,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 2,
        "stopSequences": ["1", "2", "3", "4", "5"],
    }
    assert body["serviceTier"] == "standard"
    assert changes == (
        "min_p",
        "stop -> the first 5",
        "prediction",
        "prompt_cache_key",
        "user",
        "metadata",
        "verbosity",
        "store",
    )
    assert write(service_tier="scale")[1] == ("service_tier",)


@pytest.mark.parametrize(
    ("model", "thinking", "config", "changes"),
    [
        ("gemini-3-pro", Thinking(effort="low"), {"thinkingLevel": "low"}, ()),
        ("gemini-3-pro", Thinking(effort="max"), {"thinkingLevel": "high"}, ("high",)),
        ("gemini-4-argon", Thinking(effort="minimal"), {"thinkingLevel": "low"}, ("low",)),
        ("gemini-3-pro", Thinking(budget_tokens=4000), {"thinkingLevel": "medium"}, ("medium",)),
        ("gemini-3-pro", Thinking(is_adaptive=True), {}, ()),
        ("gemini-2.5-flash", Thinking(effort="medium"), {"thinkingBudget": 8192}, ()),
        ("gemini-2.5-flash", Thinking(budget_tokens=4000), {"thinkingBudget": 4000}, ()),
        ("gemini-2.5-flash", Thinking(is_adaptive=True), {"thinkingBudget": -1}, ()),
    ],
)
def test_write_thinking_levels_and_budgets(
    model: str, thinking: Thinking, config: dict[str, Any], changes: tuple[str, ...]
) -> None:
    """From 3 on thinking has levels, before it a budget; never both."""
    body, changed = write(model, thinking=thinking)
    assert body["generationConfig"]["thinkingConfig"] == {**config, "includeThoughts": True}
    assert changed == tuple(f"reasoning_effort -> {word}" for word in changes)


def test_write_thinking_is_not_shown_to_who_wants_none() -> None:
    """Thoughts are included unless there are to be none, or none are to be seen."""
    hidden = write(thinking=Thinking(effort="low", shows="none"))[0]
    assert hidden["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "low"}
    none = write("gemini-2.5-flash", thinking=Thinking(effort="none"))[0]
    assert none["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}
    assert "generationConfig" not in write(thinking=Thinking(shows="none"))[0]
    row = write(thinking=Thinking(effort="low"), efforts=("high",))[0]
    assert row["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "high"


def test_write_tools_keep_their_schemas() -> None:
    """A schema goes where all of JSON Schema is read, as the client wrote it."""
    custom = Tool(name="c", custom_format="", cache=CacheMark())
    body, changes = write(
        tools=(TOOL, Tool(name="bare"), custom),
        tool_choice=ToolChoice("named", ("f",)),
        is_parallel=False,
        hosted_tools=(HostedTool("web_search", "{}", "openai_responses"),),
    )
    [group] = body["tools"]
    first, bare, text = group["functionDeclarations"]
    schema = {"type": "object", "$ref": "#/a"}
    assert first == {"name": "f", "description": "d", "parametersJsonSchema": schema}
    assert bare == {"name": "bare"}
    assert text["parametersJsonSchema"]["required"] == ["input"]
    config = {"mode": "ANY", "allowedFunctionNames": ["f"]}
    assert body["toolConfig"] == {"functionCallingConfig": config}
    assert changes == (
        "tools -> without web_search",
        "prompt_cache_breakpoint",
        "parallel_tool_calls",
    )


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("allowed", ("f",), True), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("allowed", ("f",)), {"mode": "AUTO"}),
    ],
)
def test_write_tools_choices(choice: ToolChoice, config: dict[str, Any]) -> None:
    """Names are taken only where a call must come; otherwise the others are not offered."""
    body, _ = write(tools=(TOOL, Tool(name="g")), tool_choice=choice)
    assert body["toolConfig"]["functionCallingConfig"] == config
    declared = body["tools"][0]["functionDeclarations"]
    assert len(declared) == (1 if choice.mode == "allowed" and not choice.must_call else 2)


def test_write_form_is_json_with_its_schema() -> None:
    """A form beside tools is for models from 3 on."""
    form = Form(kind="json_schema", schema='{"type":"object"}')
    body, _ = write(form=form, tools=(TOOL,))
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    with pytest.raises(Unsupported) as caught:
        write("gemini-2.5-pro", form=form, tools=(TOOL,))
    assert caught.value.param == "response_format"


def test_write_bias_of_tokens_is_refused() -> None:
    """Bug: it was left out, though answers without it are not what was asked for."""
    with pytest.raises(Unsupported) as caught:
        write(sampling=Sampling(logit_bias={"1": 1.0}))
    assert caught.value.param == "logit_bias"
