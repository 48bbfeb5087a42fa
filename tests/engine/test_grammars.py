"""Tests of compiled demands with the real vocabulary: whatever is written obeys them."""

import json
import re
from random import Random

import jsonschema
import pytest

from slipstream.engine.grammar_spec import (
    AnswerForm,
    JsonObject,
    JsonSchema,
    Lark,
    Regex,
    Tool,
    ToolFormat,
    ToolUse,
)
from slipstream.errors import BadRequest
from tests.engine.grammar_drive import (
    DEEPSEEK,
    HERMES,
    LLAMA,
    MISTRAL,
    NAMED,
    feed,
    grammars,
    tokens,
    written_at_random,
)
from tests.engine.random_schemas import random_schema

PLACE = (
    '{"type":"object","properties":{"city":{"type":"string","maxLength":9}},"required":["city"]}'
)
TOOLS = (Tool("get_weather", parameters=PLACE, is_strict=True), Tool("now", is_strict=True))
FORMATS = [HERMES, LLAMA, MISTRAL, DEEPSEEK, NAMED]
KEYS = {HERMES: "arguments", LLAMA: "parameters", MISTRAL: "arguments"}


def refusal(form: AnswerForm | None, tool_use: ToolUse | None = None) -> BadRequest:
    """Return the error that a demand is refused with."""
    with pytest.raises(BadRequest) as caught:
        grammars().compile(form, tool_use)
    return caught.value


def write(form: AnswerForm | None, tool_use: ToolUse | None = None, seed: int = 0) -> str:
    """Return an answer at random."""
    matcher = grammars().compile(form, tool_use)
    assert matcher is not None
    return written_at_random(matcher, Random(seed))


# ---- forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_compile_schema_at_random_allows_only_valid_documents(seed: int) -> None:
    """Whatever a model writes under a schema is JSON that obeys it."""
    schema = random_schema(Random(seed))
    text = write(JsonSchema(json.dumps(schema)), seed=seed)
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))


def test_compile_schema_allows_documents_that_it_describes() -> None:
    """A grammar that allowed nothing would never be wrong: a full document passes."""
    schema = {
        "type": "object",
        "properties": {
            "b": {"type": "string"},
            "a": {"type": "array", "items": {"$ref": "#/$defs/n"}},
            "c": {"anyOf": [{"type": "null"}, {"enum": ["x", "y"]}]},
        },
        "required": ["b", "a", "c"],
        "$defs": {"n": {"type": "number"}},
    }
    matcher = grammars().compile(JsonSchema(json.dumps(schema)))
    assert matcher is not None
    feed(matcher, '{"b": "say \\"hi\\" é\\n", "a": [1, -2.5, 3e9], "c": "y"}')
    assert matcher.is_over


def test_compile_schema_keeps_the_order_of_its_keys_and_one_white_space() -> None:
    """Keys come as the schema lists them, white space as Python writes it: so both are forced."""
    schema = {
        "type": "object",
        "properties": {"z": {"const": 1}, "a": {"const": [1, 2]}},
        "required": ["a", "z"],
    }
    assert write(JsonSchema(json.dumps(schema))) == '{"z": 1, "a": [1, 2]}'


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}, '{"a": 1}'),
        ({"type": "object", "properties": {"a": {"const": 1}}, "required": ["a", "b"]}, None),
        (
            {
                "type": "object",
                "properties": {"a": {"const": 1}},
                "required": ["a"],
                "additionalProperties": True,
            },
            None,
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            None,
        ),
    ],
)
def test_compile_schema_closes_plain_objects_and_no_others(
    schema: dict[str, object], text: str | None
) -> None:
    """An object that lists properties gets no others, unless it says so, needs or meets them."""
    matcher = grammars().compile(JsonSchema(json.dumps(schema)))
    assert matcher is not None
    if text is not None:
        assert written_at_random(matcher, Random(1)) == text
    else:
        feed(matcher, '{"a": 1, "b": 2')


def test_compile_json_object_allows_any_object() -> None:
    """JSON mode gives an object, whatever is in it."""
    for seed in range(5):
        assert isinstance(json.loads(write(JsonObject(), seed=seed)), dict)
    matcher = grammars().compile(JsonObject())
    assert matcher is not None
    feed(matcher, '{"a": [1, {"b": null}], "c": "d"}')
    assert matcher.is_over


@pytest.mark.parametrize("pattern", [r"\d{3}-\d{4}", "(yes|no)/(a|b)", "[a-zé]{1,5}日本?"])
def test_compile_regex_allows_only_what_it_matches(pattern: str) -> None:
    """A regular expression matches the answer as a whole."""
    for seed in range(5):
        assert re.fullmatch(pattern, write(Regex(pattern), seed=seed))


def test_compile_lark_allows_only_its_language() -> None:
    """A grammar in Lark is obeyed."""
    source = 'start: sum\nsum: NUMBER ("+" NUMBER){1,3} "=?"\nNUMBER: /[1-9][0-9]{0,2}/'
    for seed in range(5):
        assert re.fullmatch(r"[1-9]\d{0,2}(\+[1-9]\d{0,2}){1,3}=\?", write(Lark(source), seed=seed))


def test_compile_nothing_asked_returns_no_matcher() -> None:
    """Where the answer is free there is no mask at all."""
    assert grammars().compile(None) is None
    assert grammars().compile(None, ToolUse(tools=TOOLS, choice="none")) is None
    assert grammars().compile(None, ToolUse(tools=())) is None


def test_compile_same_demand_twice_compiles_once() -> None:
    """A schema that many requests bring is compiled for the first; each has its own place."""
    cache = grammars()
    first, second = (cache.compile(JsonSchema('{"type":"object"}')) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first._stages[0].grammar is second._stages[0].grammar
    feed(first, '{"a": 1}')
    assert first.is_over
    assert not second.is_over


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"type": "array", "uniqueItems": True}, "unsupported JSON Schema keyword: uniqueItems"),
        ({"not": {"type": "string"}}, "unsupported JSON Schema keyword: not"),
        ({"type": "string", "format": "ipv9"}, "Unknown format: ipv9"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "Unsatisfiable"),
        ({"$ref": "#/$defs/gone"}, "/$defs/gone"),
        ({"type": "strin"}, "Invalid type: strin"),
    ],
)
def test_compile_schema_that_cannot_be_enforced_names_keyword_and_path(
    place: dict[str, object], said: str
) -> None:
    """Nothing is dropped in silence: the error says what cannot be enforced, and where."""
    schema = {
        "type": "object",
        "properties": {"list": {"type": "array", "items": place}, "ok": {"type": "string"}},
        "required": ["list"],
    }
    if said == "Unsatisfiable":
        schema["properties"]["list"]["minItems"] = 1  # type: ignore[index]
    error = refusal(JsonSchema(json.dumps(schema), param="response_format"))
    assert error.param == "response_format"
    assert said in error.message
    assert error.message.endswith("at properties.list.items")


def test_compile_lenient_schema_enforces_what_it_can() -> None:
    """Where the caller does not ask for strictness, an unknown keyword is left out."""
    form = JsonSchema('{"type":"array","uniqueItems":true,"maxItems":1}', is_strict=False)
    assert json.loads(write(form)) is not None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (JsonSchema("[1]"), "a schema is an object"),
        (JsonSchema("{"), "is not JSON"),
        (JsonSchema('{"title":"' + "x" * 600_000 + '"}'), "at most 524288"),
        (JsonSchema('{"items":' * 2000 + "{}" + "}" * 2000), ""),
        (Regex("(", param="regex"), "unclosed group"),
        (Lark('start: "a" gone', param="grammar"), 'unknown name: "gone"'),
        (Lark('x[max_tokens=3]: /.*/\nstart: x "b"', param="grammar"), "'max_tokens'"),
    ],
)
def test_compile_form_that_is_none_is_refused_by_name(form: AnswerForm, said: str) -> None:
    """A form that cannot be read is the caller's error, told with its field."""
    error = refusal(form)
    assert said in error.message
    assert error.param == getattr(form, "param")  # noqa: B009 -- not every form has one


def test_compile_strict_tool_with_unsupported_keyword_names_the_tool() -> None:
    """A strict tool is enforced or refused; the error says which."""
    bad = '{"type":"object","properties":{"a":{"type":"array","contains":{}}}}'
    tools = (*TOOLS, Tool("bad", parameters=bad, is_strict=True))
    error = refusal(None, ToolUse(tools=tools))
    assert error.param == "tools[2].function.parameters"
    assert "contains, at properties.a" in error.message


def test_compile_choice_of_unknown_tool_is_refused() -> None:
    """A call of a tool that was not offered cannot be forced."""
    use = ToolUse(tools=TOOLS, choice="named", name="gone")
    assert refusal(None, use).param == "tool_choice"


# ---- tools --------------------------------------------------------------------------------------


def calls_in(text: str, form: ToolFormat) -> list[tuple[str, dict[str, object]]]:
    """Read calls back letter by letter; every text of the format must stand where it says."""
    calls: list[tuple[str, dict[str, object]]] = []
    rest = text.removeprefix(form.opening)
    while rest != form.closing:
        if calls:
            rest = _behind(form.separator or "", rest)
        rest = _behind(form.begin, rest)
        name = ""
        if form.middle is not None:
            name, _, rest = rest.partition(form.middle)
        found, end = json.JSONDecoder().raw_decode(rest)
        rest = _behind(form.end, rest[end:])
        call = (name, found) if form.middle is not None else (found["name"], found[KEYS[form]])
        calls.append(call)
    return calls


def _behind(prefix: str, text: str) -> str:
    assert text.startswith(prefix), f"{prefix!r} is missing before {text!r}"
    return text.removeprefix(prefix)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seed", range(3))
def test_compile_required_tools_write_calls_in_the_models_format(
    form: ToolFormat, seed: int
) -> None:
    """A required call is written as the family writes it, with arguments that obey its schema."""
    matcher = grammars(form).compile(None, ToolUse(tools=TOOLS, choice="required"))
    assert matcher is not None
    text = written_at_random(matcher, Random(seed))
    calls = calls_in(text, form)
    assert calls
    assert text.startswith(form.opening + form.begin)
    assert text.endswith(form.end + form.closing)
    for name, arguments in calls:
        tool = next(tool for tool in TOOLS if tool.name == name)
        jsonschema.validate(arguments, json.loads(tool.parameters))


@pytest.mark.parametrize("form", FORMATS)
def test_compile_named_tool_writes_one_call_of_it(form: ToolFormat) -> None:
    """A named tool is called once, and nothing else is written."""
    use = ToolUse(tools=TOOLS, choice="named", name="now")
    matcher = grammars(form).compile(None, use)
    assert matcher is not None
    assert calls_in(written_at_random(matcher, Random(0)), form) == [("now", {})]


@pytest.mark.parametrize("form", FORMATS)
def test_compile_single_calls_allow_no_second(form: ToolFormat) -> None:
    """Without parallel calls the answer ends behind the first."""
    use = ToolUse(tools=TOOLS, choice="required", is_parallel=False)
    for seed in range(3):
        matcher = grammars(form).compile(None, use)
        assert matcher is not None
        assert len(calls_in(written_at_random(matcher, Random(seed)), form)) == 1


def test_compile_loose_tool_keeps_what_its_schema_can_enforce() -> None:
    """A tool that is not strict is still called with an object, whatever its schema says."""
    tools = (Tool("f", parameters='{"type":"object","properties":{"a":{"$ref":"http://x/y"}}}'),)
    text = write(None, ToolUse(tools=tools, choice="required", is_parallel=False))
    assert isinstance(calls_in(text, HERMES)[0][1], dict)


def test_compile_form_with_tools_allows_either() -> None:
    """With a form and tools the model may answer in the form, or call."""
    form = JsonSchema('{"type":"object","properties":{"x":{"const":1}},"required":["x"]}')
    use = ToolUse(tools=TOOLS)
    for text in ('{"x": 1}', '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'):
        matcher = grammars().compile(form, use)
        assert matcher is not None
        feed(matcher, text)
        assert matcher.can_end


def test_compile_after_reasoning_leaves_the_reasoning_free() -> None:
    """Nothing is asked of the reasoning; the form holds from its end on, behind white space."""
    form = JsonSchema('{"type":"object","properties":{"x":{"const":1}},"required":["x"]}')
    matcher = grammars().compile(form, after="</think>")
    assert matcher is not None
    assert feed(matcher, "So {what} then?</think>") == [None] * len(
        tokens().encode("So {what} then?</think>")
    )
    feed(matcher, '\n\n{"x": 1}')
    assert matcher.is_over


def test_compile_after_reasoning_hears_no_calls_inside() -> None:
    """A call that is only thought of is no call."""
    matcher = grammars().compile(None, ToolUse(tools=TOOLS), after="</think>")
    assert matcher is not None
    feed(matcher, "Maybe <tool_call> it?</think> Now: <tool_call>")
    assert not matcher.is_lazy
    feed(matcher, '\n{"name": "now", "arguments": {}}\n</tool_call>')
    assert matcher.is_lazy
