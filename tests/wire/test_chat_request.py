"""Tests of slipstream.wire.chat_request as a whole; its parts have tests of their own."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.chat_messages import ChatTurn
from slipstream.wire.chat_request import ChatRequest, parse_chat_request
from slipstream.wire.chat_tools import ChatTool, ChatTools

USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
PREDICTION = {"type": "content", "content": "x"}


def parse(**fields: Any) -> ChatRequest:
    """Parse a request with these fields beside a model and a message."""
    return parse_chat_request(msgspec.json.encode({"model": "m", "messages": [USER]} | fields))


def refuse(**fields: Any) -> BadRequest:
    """Return the error that these fields cause."""
    with pytest.raises(BadRequest) as caught:
        parse(**fields)
    return caught.value


def test_parse_smallest_request_takes_openais_defaults() -> None:
    """Only messages are needed; the rest is what OpenAI assumes."""
    assert parse() == ChatRequest(turns=(ChatTurn("user", "Hi"),))
    assert (parse().temperature, parse().top_p, parse().num_choices) == (1.0, 1.0, 1)


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"seed": -3}, {"seed": -3}),
        ({"stop": "a"}, {"stop": ("a",)}),
        ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"max_tokens": 9, "min_tokens": 9}, {"max_tokens": 9, "min_tokens": 9}),
        ({"max_tokens": 9, "max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"top_k": 40, "min_p": 0.05}, {"top_k": 40, "min_p": 0.05}),
        ({"top_k": -1}, {}),
        (
            {"frequency_penalty": -2, "presence_penalty": 1.5, "repetition_penalty": 1.1},
            {"frequency_penalty": -2.0, "presence_penalty": 1.5, "repetition_penalty": 1.1},
        ),
        ({"logit_bias": {"50": -100, "7": 0.5}}, {"logit_bias": ((50, -100.0), (7, 0.5))}),
        ({"logprobs": True}, {"num_logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 20}, {"num_logprobs": 20}),
        ({"n": 128}, {"num_choices": 128}),
        ({"response_format": {"type": "json_object"}}, {"form": ChatForm("json_object")}),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            {
                "tools": ChatTools(
                    tools=(ChatTool("f", "", '{"type":"object","properties":{}}', False),),
                    choice="auto",
                    name=None,
                    is_parallel=False,
                )
            },
        ),
        ({"prediction": PREDICTION}, {"prediction": "x"}),
        (
            {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}] * 2}},
            {"prediction": "xx"},
        ),
        ({"exact": True}, {"is_exact": True}),
        ({"reasoning_effort": "low"}, {"switches": {"reasoning_effort": "low"}}),
        (
            {
                "reasoning_effort": "none",
                "chat_template_kwargs": {"a": 1, "enable_thinking": True, "b": None},
            },
            {"switches": {"reasoning_effort": "none", "enable_thinking": True, "a": 1}},
        ),
        (
            {"reasoning_effort": "none"},
            {"switches": {"reasoning_effort": "none", "enable_thinking": False}},
        ),
        ({"user": "u"}, {"cache_key": "u"}),
        ({"user": "u", "safety_identifier": "s"}, {"cache_key": "s"}),
        ({"safety_identifier": "s", "prompt_cache_key": "p"}, {"cache_key": "p"}),
        ({"prompt_cache_key": "p", "cache_salt": "c"}, {"cache_key": "c"}),
        ({"service_tier": "auto"}, {"priority": 0}),
        ({"service_tier": "default"}, {"priority": 0}),
        ({"service_tier": "priority"}, {"priority": 1}),
        ({"service_tier": "flex"}, {"priority": -1}),
    ],
)
def test_parse_offered_field_arrives(fields: dict[str, Any], read: dict[str, Any]) -> None:
    """Each field that is offered becomes what it means, and changes nothing else."""
    assert parse(**fields) == msgspec.structs.replace(parse(), **read)


def test_parse_null_means_the_default() -> None:
    """SDKs send null for what was not set."""
    names = (
        "temperature top_p top_k min_p seed stop max_tokens min_tokens n logprobs top_logprobs "
        "logit_bias frequency_penalty presence_penalty repetition_penalty response_format tools "
        "structured_outputs tool_choice parallel_tool_calls prediction reasoning_effort user "
        "chat_template_kwargs service_tier exact prompt_cache_key safety_identifier functions"
    )

    assert parse(**dict.fromkeys(names.split())) == parse()


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"a": "b"}, "store": True, "service_tier": "auto", "logprobs": False},
        {"n": 1, "tools": [], "tool_choice": "none", "response_format": {"type": "text"}},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "top_logprobs": 0},
        {"parallel_tool_calls": True, "stream_options": {"include_usage": True}, "stream": True},
        {
            "never_heard_of": [1, 2],
            "modalities": ["text"],
            "functions": [],
            "function_call": "auto",
        },
        {"chat_template_kwargs": {}, "exact": False, "user": ""},
    ],
)
def test_parse_fields_that_change_nothing_are_accepted(fields: dict[str, Any]) -> None:
    """Harmless, neutral and unknown fields leave the request as it is."""
    assert parse(**fields) == parse()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 2.1),
        ("temperature", -0.1),
        ("temperature", "hot"),
        ("top_p", 1.5),
        ("top_k", -2),
        ("min_p", 1.1),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_completion_tokens", -1),
        ("min_tokens", -1),
        ("seed", 2**63),
        ("seed", "x"),
        ("stop", ["a"] * 5),
        ("stop", ""),
        ("stop", ["x" * 1001]),
        ("stop", 5),
        ("frequency_penalty", 2.1),
        ("presence_penalty", -2.1),
        ("repetition_penalty", 0),
        ("repetition_penalty", 11),
        ("logit_bias", {"hello": 1}),
        ("logit_bias", {"-1": 1}),
        ("logit_bias", {"9" * 10_000: 1}),
        ("logit_bias", {"05": 1}),
        ("logit_bias", {"5": 1, "": 1}),
        ("logit_bias", [1]),
        ("logprobs", 3),
        ("top_logprobs", 21),
        ("top_logprobs", 3),
        ("n", 0),
        ("n", 129),
        ("exact", "yes"),
        ("reasoning_effort", "extreme"),
        ("service_tier", "gold"),
        ("user", 5),
        ("prediction", "x"),
        ("tools", {}),
        ("chat_template_kwargs", []),
        ("messages", []),
        ("messages", "Hi"),
    ],
)
def test_parse_wrong_value_names_the_field(field: str, value: Any) -> None:
    """Type and range are checked, and the error says which field it was."""
    error = refuse(**{field: value})

    assert error.status == 400
    assert error.param == field
    assert f"'{field}'" in error.message
    assert "expected" in error.message


@pytest.mark.parametrize(
    ("fields", "param", "accepted"),
    [
        ({"logit_bias": {"5": 101}}, "logit_bias.5", "-100 to 100, got 101"),
        ({"logit_bias": {"5": True}}, "logit_bias.5", "got true"),
        ({"prediction": {"type": "text", "content": ""}}, "prediction.type", "'content'"),
        ({"prediction": {"type": "content"}}, "prediction.content", "Missing"),
        (
            {"prediction": {"type": "content", "content": [{"type": "image_url"}]}},
            "prediction.content[0].type",
            "'text'",
        ),
        ({"chat_template_kwargs": {"a": 1.5}}, "chat_template_kwargs.a", "got 1.5"),
        ({"reasoning_effort": "x"}, "reasoning_effort", "'none', 'minimal'"),
        ({"service_tier": "x"}, "service_tier", "'flex'"),
        ({"max_tokens": 5, "min_tokens": 6}, "min_tokens", "at most max_tokens, 5, got 6"),
    ],
)
def test_parse_wrong_part_says_what_is_accepted(
    fields: dict[str, Any], param: str, accepted: str
) -> None:
    """What lies inside a field is named by its path."""
    error = refuse(**fields)

    assert (error.param, error.status) == (param, 400)
    assert accepted in error.message


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("functions", [{}], "'tools'"),
        ("function_call", {"name": "f"}, "'tool_choice'"),
        ("modalities", ["text", "audio"], "leave it out"),
        ("audio", {"voice": "alloy"}, "leave it out"),
        ("web_search_options", {}, "leave it out"),
        ("guided_json", {}, "'structured_outputs'"),
        ("guided_regex", "a+", "'structured_outputs'"),
        ("guided_choice", ["a"], "'structured_outputs'"),
        ("guided_grammar", "start: /a/", "'structured_outputs'"),
    ],
)
def test_parse_what_is_not_offered_is_refused(field: str, value: Any, accepted: str) -> None:
    """A field that would change the answer is never dropped silently."""
    error = refuse(**{field: value})

    assert (error.param, error.code) == (field, "unsupported_parameter")
    assert accepted in error.message


@pytest.mark.parametrize(
    ("fields", "both"),
    [
        ({"prediction": PREDICTION, "n": 2}, ("prediction", "n")),
        ({"prediction": PREDICTION, "logprobs": True}, ("prediction", "logprobs")),
        ({"prediction": PREDICTION, "tools": [TOOL]}, ("prediction", "tools")),
        (
            {"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}},
            ("response_format", "structured_outputs"),
        ),
    ],
)
def test_parse_fields_that_exclude_each_other_are_refused(
    fields: dict[str, Any], both: tuple[str, str]
) -> None:
    """The error names both, so that either can be left out."""
    error = refuse(**fields)

    assert (error.param, error.code) == (both[0], "unsupported_parameter")
    assert all(f"'{name}'" in error.message for name in both)


def test_parse_tools_that_may_not_be_called_exclude_no_prediction() -> None:
    """With tool_choice 'none' the tools are only shown to the model."""
    assert parse(tools=[TOOL], tool_choice="none", prediction=PREDICTION).prediction == "x"


def test_parse_tools_and_a_form_go_together() -> None:
    """The answer is a call, or text of that form; OpenAI allows it, too."""
    asked = parse(tools=[TOOL], response_format={"type": "json_object"})

    assert asked.tools is not None
    assert asked.form == ChatForm("json_object")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"messages": [{]}'])
def test_parse_broken_body_is_a_bad_request(body: bytes) -> None:
    """No body makes anything but a clear error."""
    with pytest.raises(BadRequest):
        parse_chat_request(body)


def test_parse_bytes_that_are_no_text_are_a_bad_request() -> None:
    """Also where they stand in a part that is handed on as it is."""
    body = b'{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema",'
    body += b'"json_schema":{"name":"n","schema":{"title":"\xff"}}}}'
    with pytest.raises(BadRequest, match="UTF-8"):
        parse_chat_request(body)


def test_parse_nested_too_deeply_is_a_bad_request() -> None:
    """Depth is no way to bring the gateway down."""
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(BadRequest):
        parse_chat_request(b'{"messages":[{"role":"user","content":"a"}],"audio":' + deep + b"}")


KEYS = (
    "type function name content text role tool_calls id arguments json_schema schema strict regex "
    "choice json grammar allowed_tools tools mode tool_call_id parameters json_object"
)
WORDS = st.sampled_from([*KEYS.split(), "tool", "assistant", "user", "auto", "required", "f", "1"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
PARSED = (
    "messages tools tool_choice response_format structured_outputs prediction logit_bias stop n "
    "chat_template_kwargs logprobs top_logprobs functions seed reasoning_effort service_tier user"
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(PARSED.split()), VALUES, max_size=4))
def test_parse_any_body_is_read_or_refused(fields: dict[str, Any]) -> None:
    """Whatever JSON comes, nothing but a BadRequest is raised, and it names a field."""
    refusal: BadRequest | None = None
    try:
        parse(**fields)
    except BadRequest as error:
        refusal = error

    assert refusal is None or refusal.param


def test_parse_messages_missing_is_named() -> None:
    """The one field that must be there."""
    with pytest.raises(BadRequest) as caught:
        parse_chat_request(b'{"model": "m"}')

    assert caught.value.param == "messages"
