"""Messages of OpenAI clients on their way to Cerebras."""

from typing import Any

import pytest

from slipstream.errors import BadRequest, Unsupported
from tests.wire.cerebras.adapting import MODEL, SEEING, adapted, asked, said

PNG = "data:image/png;base64,AAAA"
USER = {"role": "user", "content": "u"}


def call(call_id: str = "a", **more: Any) -> dict[str, Any]:
    """Return a call of a tool."""
    function = {"name": "f", "arguments": "{}"}
    return {"id": call_id, "type": "function", "function": function, **more}


def asks(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a message that calls tools."""
    return {"role": "assistant", "tool_calls": list(calls), **more}


def result(call_id: str = "a", **more: Any) -> dict[str, Any]:
    """Return what a tool answered."""
    return {"role": "tool", "tool_call_id": call_id, "content": "r", **more}


def image(url: str) -> dict[str, Any]:
    """Return a part that shows an image."""
    return {"type": "image_url", "image_url": {"url": url}}


Messages = list[dict[str, Any]]

# What the client sends, what Cerebras gets, what the header says.
CHANGED: list[tuple[Messages, Messages, tuple[str, ...]]] = [
    (
        [{"role": "assistant", "content": "x", "reasoning_content": "y"}],
        [{"role": "assistant", "content": "x", "reasoning": "y"}],
        ("messages.0.reasoning_content -> reasoning",),
    ),
    (
        [{"role": "assistant", "content": "x", "reasoning": "z", "reasoning_content": "y"}],
        [{"role": "assistant", "content": "x", "reasoning": "z"}],
        ("messages.0.reasoning_content",),
    ),
    (  # what the SDK's own message objects hold when they are sent back
        [
            {
                "role": "assistant",
                "content": "x",
                "refusal": None,
                "annotations": [],
                "audio": None,
                "function_call": None,
                "tool_calls": None,
                "reasoning_content": None,
            }
        ],
        [{"role": "assistant", "content": "x", "tool_calls": None}],
        (),
    ),
    (
        [{"role": "assistant", "content": None, "refusal": "no"}],
        [{"role": "assistant", "content": "no"}],
        ("messages.0.refusal -> content",),
    ),
    (
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
        [{"role": "assistant", "content": [{"type": "text", "text": "no"}]}],
        ("messages.0.content.0.refusal -> text",),
    ),
    (
        [{"role": "assistant", "content": "x", "annotations": [{"type": "url_citation"}]}],
        [{"role": "assistant", "content": "x"}],
        ("messages.0.annotations",),
    ),
    (
        [USER, {"role": "user", "content": "x", "cache_control": {"type": "ephemeral"}, "id": 1}],
        [USER, {"role": "user", "content": "x"}],
        ("messages.1.cache_control", "messages.1.id"),
    ),
    (
        [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"a": 1}}]}],
        [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
        ("messages.0.content.0.cache_control",),
    ),
    (
        [asks(call(index=0, extra_content={"google": {}})), result()],
        [asks(call(index=0)), result()],
        ("messages.0.tool_calls.0.extra_content",),
    ),
    (  # other providers begin anew with their ids in each turn
        [asks(call()), result(), asks(call()), result(), asks(call()), result(), USER],
        [
            *(asks(call()), result()),
            *(asks(call("a-2")), result("a-2")),
            *(asks(call("a-3")), result("a-3"), USER),
        ],
        (
            "messages.2.tool_calls.0.id",
            "messages.3.tool_call_id",
            "messages.4.tool_calls.0.id",
            "messages.5.tool_call_id",
        ),
    ),
    (  # and an id that is given later is not taken from who has it
        [asks(call()), result(), asks(call()), result(), asks(call("a-2")), result("a-2")],
        [
            asks(call()),
            result(),
            asks(call("a-3")),
            result("a-3"),
            asks(call("a-2")),
            result("a-2"),
        ],
        ("messages.2.tool_calls.0.id", "messages.3.tool_call_id"),
    ),
    (
        [
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": None},
        ],
        [asks(call("call_0-2")), {**result("call_0-2"), "name": "f", "content": ""}],
        ("messages.0.function_call -> tool_calls", "messages.1.role -> tool"),
    ),
]


@pytest.mark.parametrize(("messages", "sent", "changes"), CHANGED, ids=str)
def test_message_is_made_one_that_cerebras_reads(
    messages: Messages, sent: Messages, changes: tuple[str, ...]
) -> None:
    """Nothing that a model would read is lost, and each change has its name."""
    got, named = adapted(said(messages=messages))
    assert got["messages"] == sent
    assert named == changes


def test_tool_messages_parts_are_left_as_they_are() -> None:
    """Texts in parts, and the name of a tool, are Cerebras's, too."""
    messages = [asks(call()), result(name="f", content=[{"type": "text", "text": "r"}])]
    assert adapted(said(messages=messages)) == ({"messages": messages}, ())


@pytest.mark.parametrize(("model", "role"), [(MODEL, "developer"), (SEEING, "system")])
def test_developer_is_the_system_where_the_model_has_none(model: str, role: str) -> None:
    """The two mean the same to those that have both."""
    got, changes = adapted(said(messages=[{"role": "developer", "content": "x"}, USER]), model)
    assert got["messages"] == [{"role": role, "content": "x"}, USER]
    assert changes == (("messages.0.role -> system",) if role == "system" else ())


def test_image_goes_to_a_model_that_sees() -> None:
    """As a data URI, what a client says of its detail with it."""
    part = image(PNG)
    part["image_url"]["detail"] = "high"
    messages = [{"role": "user", "content": [part]}]
    assert adapted(said(messages=messages), SEEING) == ({"messages": messages}, ())


@pytest.mark.parametrize(
    ("model", "messages", "param", "words"),
    [
        (MODEL, [{"role": "user", "content": [image(PNG)]}], "messages.0.content.0", "no images"),
        (
            SEEING,
            [USER, {"role": "user", "content": [image("https://example.com/a.png")]}],
            "messages.1.content.0",
            "base64",
        ),
        (
            SEEING,
            [{"role": "user", "content": [image("data:image/gif;base64,AAAA")]}],
            "messages.0.content.0",
            "PNG or JPEG",
        ),
        (SEEING, [asks(call()), result(content=[image(PNG)])], "messages.1.content.0", "text"),
        (
            SEEING,
            [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
            "messages.0.content.0",
            "text",
        ),
        (SEEING, [{"role": "user", "content": [{"type": "file"}]}], "messages.0.content.0", "text"),
        (
            MODEL,
            [{"role": "assistant", "content": None, "audio": {"id": "a"}}],
            "messages.0.audio",
            "content",
        ),
        (
            MODEL,
            [asks({"id": "a", "type": "custom", "custom": {"name": "c", "input": ""}})],
            "messages.0.tool_calls.0.type",
            "functions",
        ),
    ],
)
def test_what_the_model_cannot_read_is_refused_by_its_place(
    model: str, messages: Messages, param: str, words: str
) -> None:
    """An image that is not seen and a sound that is not heard would be answered all the same."""
    with pytest.raises(Unsupported, match=words) as caught:
        asked(said(messages=messages), model)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "function", "name": "f", "content": "x"}], "messages.0.role"),
        ([USER, result()], "messages.1.tool_call_id"),
        ([asks(call()), USER], "messages"),
        ([asks(call(), call()), result()], "messages.0.tool_calls"),
        ([{"role": "user", "content": [image("data:image/png;base64,!")]}], "messages.0.content.0"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user"}], "messages[0].content"),
        (["hi"], "messages[0]"),
    ],
)
def test_messages_that_no_model_takes_are_a_bad_request(messages: Any, param: str) -> None:
    """The words name the place."""
    with pytest.raises(BadRequest) as caught:
        asked(said(messages=messages), SEEING)
    assert caught.value.param == param


def test_too_many_images_are_refused() -> None:
    """How many is the model's row."""
    messages = [{"role": "user", "content": [image(PNG)] * 11}]
    with pytest.raises(BadRequest, match="at most 10 images"):
        asked(said(messages=messages), SEEING)
