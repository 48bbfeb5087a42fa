"""Tests of slipstream.wire.chat.writing and of what it is made of."""

from base64 import b64encode
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import Unsupported
from slipstream.wire.chat.habits import HABITS
from slipstream.wire.chat.reading import read_asked
from slipstream.wire.chat.writing import nearest_effort, write_asked
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Written,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice

HELLO = Turn("user", (Text("hello"),))
TOOL = Tool(name="f", schema='{"type":"object"}', strict=True)
CALL = ToolCall(call_id="call_1", name="f", arguments="{}")


def write(vendor: str = "lab", model: str = "up", **fields: Any) -> tuple[dict[str, Any], Written]:
    target = fields.pop("target", None) or Target(vendor=vendor, model=model)
    fields = {"dialect": "openai_chat", "model": "m", "turns": (HELLO,), **fields}
    written = write_asked(Asked(**fields), target)
    return msgspec.json.decode(written.body), written


def message(vendor: str, *parts: Part, role: Any = "user", model: str = "up") -> dict[str, Any]:
    body, _ = write(vendor, model, turns=(HELLO, Turn(role, parts)))
    found: dict[str, Any] = body["messages"][-1]
    return found


def test_write_asked_smallest_request_adds_nothing() -> None:
    """What was not asked for is not sent."""
    body, written = write()
    assert body == {"model": "up", "messages": [{"role": "user", "content": "hello"}]}
    assert written.changes == ()


def test_write_asked_fields_have_each_providers_names() -> None:
    """The limit, the seed and the user have other names, or none, at other providers."""
    fields: dict[str, Any] = {
        "max_tokens": 5,
        "sampling": Sampling(seed=7, top_k=3),
        "user": "u" * 100,
        "is_stream": True,
    }
    openai, told = write("openai", **fields)
    assert (openai["max_completion_tokens"], openai["seed"]) == (5, 7)
    assert len(openai["safety_identifier"]) == 64
    assert openai["stream_options"] == {"include_usage": True}
    assert told.changes == ("top_k", "user -> its hash")
    mistral, told = write("mistral", **fields)
    assert (mistral["max_tokens"], mistral["random_seed"], mistral["top_k"]) == (5, 7, 3)
    assert mistral["stream"] is True
    assert "stream_options" not in mistral
    assert told.changes == ("user",)


def test_write_asked_changes_have_the_clients_names() -> None:
    """A client of another dialect reads of the field that it wrote."""
    fields: dict[str, Any] = {
        "dialect": "anthropic_messages",
        "user": "u",
        "thinking": Thinking(budget_tokens=5000),
        "sampling": Sampling(stop=("1", "2", "3", "4", "5")),
        "extras": {"context_management": msgspec.Raw(b"{}")},
        "service_tier": "odd",
    }
    body, written = write("gemini", **fields)
    assert body["reasoning_effort"] == "medium"
    assert body["stop"] == ["1", "2", "3", "4"]
    assert written.changes == (
        "stop_sequences -> the first 4",
        "thinking -> medium",
        "service_tier",
        "metadata.user_id",
        "context_management",
    )


@pytest.mark.parametrize(
    ("vendor", "fields", "param"),
    [
        ("groq", {"num_choices": 2}, "n"),
        ("groq", {"sampling": Sampling(logprobs=True)}, "logprobs"),
        ("cerebras", {"tools": (TOOL,), "form": Form(kind="json_object")}, "response_format"),
        ("cerebras", {"turns": (Turn("user", (Image(url="http://a"),)),)}, "messages"),
        ("openai", {"turns": (Turn("user", (Image(file_id="f"),)),)}, "messages"),
        ("groq", {"turns": (Turn("user", (Audio("QQ", "wav"),)),)}, "messages"),
        ("xai", {"turns": (Turn("user", (Document(data="QQ"),)),)}, "messages"),
        ("openai", {"turns": (Turn("user", (Document(url="http://a"),)),)}, "messages"),
    ],
)
def test_write_asked_refuses_what_the_client_would_miss(
    vendor: str, fields: dict[str, Any], param: str
) -> None:
    """What cannot be left out makes the target unfit, which another may not be."""
    with pytest.raises(Unsupported, match="does not offer") as caught:
        write(vendor, **fields)
    assert caught.value.param == param
    assert caught.value.retryable


def test_write_asked_models_row_takes_fields_away() -> None:
    """What a model refuses is left out and named, whatever its provider takes."""
    target = Target(vendor="openai", model="o", refuses=frozenset({"temperature"}))
    body, written = write(target=target, sampling=Sampling(temperature=1, top_p=1))
    assert "temperature" not in body
    assert written.changes == ("temperature",)


def test_write_asked_strange_servers_limit_has_the_name_that_the_model_knows() -> None:
    """A proxy in front of a newer model of OpenAI's is sent the newer name, and nobody else is."""
    newer = frozenset({"openai_chat.max_tokens"})

    body, _ = write(target=Target(vendor="lab", model="gpt-5.4", refuses=newer), max_tokens=9)
    assert (body.get("max_completion_tokens"), body.get("max_tokens")) == (9, None)
    body, _ = write(target=Target(vendor="openrouter", model="x", refuses=newer), max_tokens=9)
    assert (body.get("max_completion_tokens"), body.get("max_tokens")) == (None, 9)


def test_nearest_effort_never_thinks_more_than_asked_where_it_can() -> None:
    """The nearest below, the least there is, and none only for who wants none."""
    assert nearest_effort("xhigh", ("none", "low", "high")) == "high"
    assert nearest_effort("low", ("none", "high")) == "high"
    assert nearest_effort("none", ("low", "high")) == "low"
    assert nearest_effort("medium", ("none",)) == "none"
    assert nearest_effort("odd", ()) == "odd"


def test_write_thinking_budgets() -> None:
    """OpenRouter takes the number; for others it is the nearest word, 0 is none."""
    budget = Thinking(budget_tokens=20_000)
    assert write("openrouter", thinking=budget)[0]["reasoning"] == {"max_tokens": 20_000}
    assert write("openai", thinking=budget)[0]["reasoning_effort"] == "high"
    assert write(thinking=Thinking(budget_tokens=0))[0]["reasoning_effort"] == "none"
    assert "reasoning_effort" not in write(thinking=Thinking(is_adaptive=True))[0]
    target = Target(vendor="openai", model="o", efforts=("low",))
    assert write(target=target, thinking=budget)[0]["reasoning_effort"] == "low"


def test_write_tools_in_each_providers_words() -> None:
    """`strict` where it is taken; text tools as they are, or as functions; choices translated."""
    custom = Tool(name="c", description="d", custom_format='{"type":"grammar","grammar":{}}')
    fields: dict[str, Any] = {
        "tools": (TOOL, custom),
        "tool_choice": ToolChoice("allowed", ("c",), True),
        "is_parallel": False,
    }
    openai, _ = write("openai", **fields)
    function = {"name": "f", "parameters": {"type": "object"}, "strict": True}
    assert openai["tools"][0] == {"type": "function", "function": function}
    assert openai["tools"][1]["custom"]["format"] == {"type": "grammar", "grammar": {}}
    assert openai["tool_choice"]["allowed_tools"] == {
        "mode": "required",
        "tools": [{"type": "custom", "custom": {"name": "c"}}],
    }
    xai, _ = write("xai", **fields)
    [only] = xai["tools"]
    assert only["function"]["parameters"]["required"] == ["input"]
    assert "grammar" in only["function"]["description"]
    assert (xai["tool_choice"], xai["parallel_tool_calls"]) == ("required", False)
    named = write("xai", tools=(TOOL,), tool_choice=ToolChoice("named", ("f",)))[0]
    assert named["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert "strict" not in named["tools"][0]["function"]
    none: dict[str, Any] = {"tools": (TOOL,), "tool_choice": ToolChoice("none")}
    assert "tools" not in write("mistral", **none)[0]
    assert write("xai", **none)[0]["tool_choice"] == "none"


def test_write_tools_hosted_ones_go_to_their_own_dialect() -> None:
    """A tool that a vendor runs is sent in its own dialect's words only."""
    own = HostedTool("browser_search", '{"type":"browser_search"}', "openai_chat")
    assert write("groq", hosted_tools=(own,))[0]["tools"] == [{"type": "browser_search"}]
    other = HostedTool("web_search", "{}", "openai_responses")
    body, written = write("groq", dialect="openai_responses", hosted_tools=(other,))
    assert "tools" not in body
    assert written.changes == ("tools -> without web_search",)


def test_write_turns_systems_at_providers_that_know_one() -> None:
    """The first is the system's, a later one is told by the user; OpenAI calls it developer."""
    systems = (
        Turn("system", (Text("a"), Text("b"))),
        HELLO,
        Turn("system", (Text("c"),)),
    )
    body, written = write("deepinfra", turns=systems)
    assert body["messages"][0] == {"role": "system", "content": "a\n\nb"}
    assert body["messages"][2] == {"role": "user", "content": "<system>c</system>"}
    assert written.changes == ("system -> user",)
    assert write("openai", turns=systems)[0]["messages"][2]["role"] == "developer"
    # Mistral takes no system's message as the last, and Claude Code's last is one.
    assert write("mistral", turns=systems)[0]["messages"][2]["role"] == "user"


def test_write_turns_results_are_text_and_images_follow() -> None:
    """A failed result says so; an image moves to the user's next message."""
    results = Turn(
        "tool",
        (
            ToolResult(call_id="call_1", parts=(Text("a"), Text("b")), is_error=True),
            ToolResult(call_id="call_2", parts=(Image(data="QQ", media_type="image/gif"),)),
        ),
    )
    body, _ = write(turns=(HELLO, Turn("assistant", (CALL,)), results))
    first, second, shown = body["messages"][2:]
    assert first == {"role": "tool", "tool_call_id": "call_1", "content": "Error: a\nb"}
    assert second["content"] == "See the user's next message."
    assert shown["content"][0]["image_url"]["url"] == "data:image/gif;base64,QQ"


def test_write_turns_ids_are_legal_and_agree() -> None:
    """Mistral's ids have nine characters, others at most 64, in the call as in its result."""
    for vendor, limit in (("mistral", 9), ("openai", 64)):
        call = ToolCall(call_id="x" * 70, name="f", arguments="")
        result = ToolResult(call_id="x" * 70)
        turns = (HELLO, Turn("assistant", (call,)), Turn("tool", (result,)))
        body, _ = write(vendor, turns=turns)
        _, called, answered = body["messages"]
        [sent] = called["tool_calls"]
        assert sent["id"] == answered["tool_call_id"]
        assert len(sent["id"]) <= limit
        assert sent["function"]["arguments"] == "{}"
    kept = message("mistral", ToolCall(call_id="abcDEF123", name="f", arguments=""), role="tool")
    assert kept["role"] == "user"
    short = message(
        "mistral", ToolCall(call_id="abcDEF123", name="f", arguments=""), role="assistant"
    )
    assert short["tool_calls"][0]["id"] == "abcDEF123"


def test_write_turns_reasoning_has_each_providers_place() -> None:
    """Plain reasoning goes where the provider reads it."""
    thought, text = Reasoning(text="hm"), Text("a")
    said = {
        vendor: message(vendor, thought, text, role="assistant")
        for vendor in ("cerebras", "deepinfra", "mistral", "openai")
    }
    assert said["cerebras"] == {"role": "assistant", "content": "a", "reasoning": "hm"}
    assert said["deepinfra"]["reasoning_content"] == "hm"
    assert said["mistral"]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    assert said["openai"] == {"role": "assistant", "content": "a"}


def test_write_turns_seals_go_to_their_own_vendor_only() -> None:
    """Details, chunk signatures and thought signatures return home; others see none of it."""
    details = Seal(vendor="openrouter", kind="reasoning_details", data='[{"type":"x"}]')
    signed = Seal(vendor="mistral", kind="signature", data="s")
    thoughts = {
        "openrouter": Reasoning(text="hm", seals=(details,)),
        "mistral": Reasoning(text="hm", seals=(signed,)),
    }
    for vendor, thought in thoughts.items():
        turns = (HELLO, Turn("assistant", (thought, Text("a"))))
        body, written = write(vendor, turns=turns)
        assert written.changes == ()
        assert "hm" in str(body) or "reasoning_details" in str(body)
        other, written = write("xai", turns=turns)
        assert "hm" not in str(other)
        assert written.changes == ("reasoning_content",)
    body, _ = write("openrouter", turns=(HELLO, Turn("assistant", (thoughts["openrouter"],))))
    assert len(body["messages"]) == 1  # nothing was said


def test_write_turns_seals_of_another_dialect_are_named() -> None:
    """What the vendor sealed for its other dialect cannot be said in chat."""
    sealed = Seal(vendor="openai", kind="encrypted_content", data="e", item_id="rs_1")
    turns = (HELLO, Turn("assistant", (Reasoning(seals=(sealed,)), Text("a"))))
    body, written = write("openai", turns=turns)
    assert body["messages"][1] == {"role": "assistant", "content": "a"}
    assert written.changes == ("reasoning_content",)


def test_write_turns_lost_signatures_have_a_stand_in() -> None:
    """Gemini 3 refuses calls without a signature; history of others gets the documented word."""
    own = Seal(vendor="gemini", kind="thought_signature", data="sig")
    signed = ToolCall(call_id="1", name="f", arguments="{}", seals=(own,))
    kept = message("gemini", signed, CALL, role="assistant", model="gemini-3-pro")["tool_calls"]
    assert kept[0]["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert "extra_content" not in kept[1]
    lost = message("gemini", CALL, CALL, role="assistant", model="gemini-3-pro")["tool_calls"]
    assert "skip_thought_signature_validator" in str(lost[0])
    assert "extra_content" not in lost[1]
    assert "extra_content" not in str(message("gemini", CALL, role="assistant", model="gemini-2.5"))
    assert "sig" not in str(message("lab", signed, role="assistant"))


def test_write_parts_of_every_kind() -> None:
    """Sound and files where they are taken; a document of text is text for all."""
    text = b64encode(b"note").decode()
    content = message(
        "openrouter",
        Text("t", CacheMark("1h")),
        Image(url="http://a/b.png", detail="low"),
        Audio("QQ", "mp3"),
        Document(url="http://a/c.pdf"),
        Document(data="QQ", title="d.pdf"),
        Document(data=text, media_type="text/plain", title="n"),
        Document(file_id="file-1"),
    )["content"]
    assert content == [
        {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image_url", "image_url": {"url": "http://a/b.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "QQ", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "http://a/c.pdf", "filename": "document.pdf"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QQ", "filename": "d.pdf"},
        },
        {"type": "text", "text": "n\n\nnote"},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    marked = message("openai", Text("t", CacheMark("1h")))["content"]
    assert marked[0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert message("groq", Text("t", CacheMark()))["content"] == "t"
    assert message("openai", Refusal("no"), role="assistant")["content"][0]["refusal"] == "no"
    assert message("groq", Refusal("no"), role="assistant")["content"][0]["text"] == "no"


def test_write_customs_calls_are_functions_where_text_is_not_taken() -> None:
    """A call of a text tool keeps its text in the one argument."""
    call = ToolCall(call_id="1", name="c", arguments='say "a"', is_custom=True)
    [own] = message("openai", call, role="assistant")["tool_calls"]
    assert own == {"id": "1", "type": "custom", "custom": {"name": "c", "input": 'say "a"'}}
    [other] = message("xai", call, role="assistant")["tool_calls"]
    assert msgspec.json.decode(other["function"]["arguments"]) == {"input": 'say "a"'}


def test_write_asked_strict_providers_get_known_fields_only() -> None:
    """Cerebras, Mistral and OpenAI answer an unknown field with an error."""
    fields: dict[str, Any] = {
        "sampling": Sampling(temperature=1, top_k=1, min_p=0.1, seed=1),
        "verbosity": "low",
        "metadata": {"a": "b"},
        "cache_key": "k",
        "service_tier": "flex",
        "prediction": "p",
        "extras": {"store": msgspec.Raw(b"true"), "safe_prompt": msgspec.Raw(b"true")},
    }
    for vendor in ("cerebras", "mistral", "openai"):
        body, written = write(vendor, **fields)
        takes = HABITS[vendor].takes
        assert takes is not None
        assert set(body) <= takes
        assert ("store" in body) == ("store" in takes) != ("store" in written.changes)


_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
_CALLS = st.builds(
    ToolCall,
    call_id=st.text("abc123_", min_size=1, max_size=20),
    name=st.sampled_from(["f", "g"]),
    arguments=st.sampled_from(["{}", '{"a":1}']),
)
_TURNS = st.one_of(
    st.builds(Turn, st.just("user"), st.tuples(st.builds(Text, _TEXTS))),
    st.builds(
        lambda text, calls: Turn("assistant", (Reasoning(text="hm"), Text(text), *calls)),
        _TEXTS,
        st.lists(_CALLS, max_size=2),
    ),
    st.builds(
        lambda call_id, text: Turn("tool", (ToolResult(call_id=call_id, parts=(Text(text),)),)),
        st.text("abc123_", min_size=1, max_size=20),
        _TEXTS,
    ),
)


def _are_apart(turns: list[Turn]) -> bool:
    """Results that are neighbours would be one turn."""
    pairs = pairwise(turns)
    return not any(first.role == second.role == "tool" for first, second in pairs)


@given(st.lists(_TURNS, min_size=1, max_size=5).filter(_are_apart), st.integers(1, 9))
def test_write_asked_round_trip_keeps_what_chat_can_say(turns: list[Turn], limit: int) -> None:
    """What is written for a plain server is read back as it was."""
    asked = Asked(
        dialect="openai_chat",
        model="m",
        turns=tuple(turns),
        tools=(TOOL,),
        tool_choice=ToolChoice("named", ("f",)),
        is_parallel=True,
        form=Form(kind="json_schema", name="n", schema="{}", strict=False),
        thinking=Thinking(effort="low"),
        sampling=Sampling(temperature=0.5, stop=("a",), logit_bias={"1": 2.0}, seed=limit),
        max_tokens=limit,
        is_stream=True,
        wants_usage=True,
        extras={"odd": msgspec.Raw(b"[1]")},
    )
    written = write_asked(asked, Target(vendor="lab", model="m"))
    assert read_asked(written.body) == asked
    assert written.changes == ()
