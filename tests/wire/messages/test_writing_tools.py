"""Tests of slipstream.wire.messages.writing_tools."""

from typing import Any

import pytest

from slipstream.errors import Unsupported
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, HostedTool, Tool, ToolChoice
from tests.wire.messages.requests import asking, targeting, write

F = Tool(name="f", schema='{"type":"object","properties":{"a":{"minimum":1}}}')
TOOLS = (F, Tool(name="g"))


def test_write_tool_of_chat() -> None:
    """A description, a schema that says that it is an object, and a mark."""
    body, changes = write(
        asking(tools=(F, Tool(name="g", description="d", strict=False, cache=CacheMark())))
    )
    assert body["tools"] == [
        {
            "name": "f",
            "input_schema": {"type": "object", "properties": {"a": {"minimum": 1}}},
        },
        {
            "name": "g",
            "description": "d",
            "input_schema": {"type": "object", "properties": {}},
            "cache_control": {"type": "ephemeral"},
        },
    ]
    assert "tool_choice" not in body
    assert changes == ()


def test_write_strict_tool_has_a_schema_that_can_be_guaranteed() -> None:
    """Where the target guarantees none, it is an ordinary tool."""
    tool = Tool(name="f", schema=F.schema, strict=True)
    (made,) = write(asking(tools=(tool,)))[0]["tools"]
    assert made["strict"] is True
    assert made["input_schema"] == {
        "type": "object",
        "properties": {"a": {"description": "{minimum: 1}"}},
        "additionalProperties": False,
    }
    body, changes = write(asking(tools=(tool,)), targeting("tools.strict"))
    assert "strict" not in body["tools"][0]
    assert changes == ("tools.strict",)


def test_write_custom_tool_is_a_function_of_one_string() -> None:
    """Its grammar is told in the description."""
    plain = Tool(name="exec", description="d", custom_format="")
    grammar = '{"type":"grammar","syntax":"lark","definition":"start: /a/"}'
    body, changes = write(asking(tools=(plain, Tool(name="x", custom_format=grammar))))
    assert body["tools"][0]["input_schema"]["required"] == ["input"]
    assert grammar in body["tools"][1]["description"]
    assert changes == ("tools.custom.format -> description",)


@pytest.mark.parametrize(
    ("choice", "is_parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("named", ("g",)), None, {"type": "tool", "name": "g"}),
        (ToolChoice("allowed", ("g",)), None, {"type": "auto"}),
        (ToolChoice("allowed", ("g",), must_call=True), None, {"type": "any"}),
    ],
)
def test_write_choice_has_the_words_of_the_dialect(
    choice: ToolChoice | None, is_parallel: bool | None, expected: Any
) -> None:
    """Of tools that are allowed, the others are not offered."""
    body, changes = write(asking(tools=TOOLS, tool_choice=choice, is_parallel=is_parallel))
    assert body.get("tool_choice") == expected
    names = [tool["name"] for tool in body["tools"]]
    assert names == (["g"] if choice and choice.mode == "allowed" else ["f", "g"])
    assert changes == ()


def test_write_choice_without_tools_says_nothing() -> None:
    """Anthropic refuses it."""
    body, _ = write(asking(tool_choice=ToolChoice("none"), is_parallel=False))
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "kind"), [(ToolChoice("required"), "any"), (ToolChoice("named", ("g",)), "tool")]
)
def test_write_choice_that_the_target_refuses_is_said_in_words(
    choice: ToolChoice, kind: str
) -> None:
    """The newest models cannot be forced: they are asked."""
    asked = asking(tools=TOOLS, tool_choice=choice)
    body, changes = write(asked, targeting(f"tool_choice.{kind}"))
    assert body["tool_choice"] == {"type": "auto"}
    assert "Call" in body["system"]
    assert changes == ("tool_choice -> auto",)


def test_write_hosted_tools_of_others() -> None:
    """Searches are left out and named: clients offer them unasked. Others would be missed."""
    search = HostedTool("web_search", '{"type":"web_search"}', "openai_responses")
    body, changes = write(asking(tools=(F,), hosted_tools=(search,)))
    assert len(body["tools"]) == 1
    assert changes == ("tools.web_search",)
    files = HostedTool("file_search", '{"type":"file_search"}', "openai_responses")
    with pytest.raises(Unsupported) as caught:
        write(asking(hosted_tools=(files,)))
    assert caught.value.param == "tools"


def test_write_form_is_a_schema_that_can_be_guaranteed() -> None:
    """Where the target guarantees none, the schema is told in words."""
    form = Form(kind="json_schema", name="n", schema='{"type":"object","properties":{}}')
    body, changes = write(asking(form=form))
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {"type": "object", "properties": {}, "additionalProperties": False},
    }
    assert changes == ()
    body, changes = write(asking(form=form), targeting("output_config.format"))
    assert "output_config" not in body
    assert form.schema is not None
    assert form.schema in body["system"]
    assert changes == ("response_format -> system",)
