"""Requests of OpenAI clients to Cerebras: fields, options, and all of them together."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.errors import BadRequest, Unsupported
from slipstream.wire.cerebras.models import MODELS
from slipstream.wire.cerebras.outbound import Adapted, adapt_chat, nearest_effort
from tests.wire.cerebras.adapting import HI, MODEL, SEEING, adapted, asked, must_read, said
from tests.wire.cerebras.openai_bodies import acceptable_bodies, openai_bodies

TOOL = {"type": "function", "function": {"name": "f"}}
GUESS = {"type": "content", "content": "x"}
JSON = {"type": "json_object"}


# ---- fields -------------------------------------------------------------------------------------

# What the client says besides its messages, what Cerebras gets of it, and what the header says.
CHANGED: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ({}, {}, ()),
    ({"store": True}, {}, ("store",)),
    ({"metadata": {"a": "b"}, "store": False}, {}, ("metadata", "store")),
    ({"safety_identifier": "u"}, {}, ("safety_identifier",)),
    ({"prompt_cache_retention": "24h"}, {}, ("prompt_cache_retention",)),
    ({"prompt_cache_options": {"mode": "explicit"}}, {}, ("prompt_cache_options",)),
    ({"verbosity": "low"}, {}, ("verbosity",)),
    ({"modalities": ["text"]}, {}, ("modalities",)),
    ({"modalities": None, "audio": None, "top_k": None}, {}, ()),
    ({"modalities": [], "plugins": [], "metadata": {}}, {}, ()),
    ({"web_search_options": None, "moderation": None}, {}, ()),
    ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_completion_tokens": 7}, ("max_tokens",)),
    ({"max_tokens": 5}, {"max_tokens": 5}, ()),
    ({"max_tokens": 5, "max_completion_tokens": None}, None, ()),  # type: ignore[list-item]
    ({"reasoning_format": None}, {}, ()),
    ({"reasoning_format": "parsed"}, {"reasoning_format": "parsed"}, ()),
    (
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"stream": True, "stream_options": {"include_usage": True}},
        ("stream_options.include_obfuscation",),
    ),
    ({"top_logprobs": 3}, {}, ("top_logprobs",)),
    ({"logprobs": False, "top_logprobs": 0}, {"logprobs": False}, ("top_logprobs",)),
    ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}, ()),
    ({"service_tier": "flex"}, {"service_tier": "flex"}, ()),
    ({"service_tier": "scale"}, {}, ("service_tier",)),
    ({"service_tier": "fast"}, {}, ("service_tier",)),
    ({"prompt_cache_key": "k" * 1025}, {}, ("prompt_cache_key",)),
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}, ()),
    ({"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}, ("reasoning_effort -> low",)),
    ({"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}, ("reasoning_effort -> high",)),
    ({"reasoning_effort": "max"}, {"reasoning_effort": "high"}, ("reasoning_effort -> high",)),
    ({"reasoning_effort": "none"}, {"reasoning_effort": "low"}, ("reasoning_effort -> low",)),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}, ()),
    ({"parallel_tool_calls": True}, {}, ("parallel_tool_calls",)),
    ({"prediction": GUESS}, {"prediction": GUESS}, ()),
    ({"prediction": GUESS, "n": 2}, {"n": 2}, ("prediction",)),
    ({"prediction": GUESS, "logprobs": True}, {"logprobs": True}, ("prediction",)),
    ({"prediction": GUESS, "tools": [TOOL]}, {"tools": [TOOL]}, ("prediction",)),
    (
        {"prediction": {**GUESS, "content": [{"type": "text", "text": "x", "cache_control": {}}]}},
        {"prediction": {**GUESS, "content": [{"type": "text", "text": "x"}]}},
        (),
    ),
]


@pytest.mark.parametrize(("fields", "sent", "changes"), CHANGED, ids=str)
def test_field_is_sent_left_out_or_changed_and_named(
    fields: dict[str, Any], sent: dict[str, Any] | None, changes: tuple[str, ...]
) -> None:
    """What changes no answer goes, what has another name or value gets it; the header says so."""
    got, named = adapted(said(**fields))
    assert got == {"messages": HI, **(fields if sent is None else sent)}
    assert named == changes


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"top_k": 5}, "top_k"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"functions": [{"name": "f"}], "function_call": "auto"}, "functions"),
    ({"functions": [{"name": "f"}], "function_call": "none", "tools": [TOOL]}, "functions"),
    ({"function_call": {"name": "f"}}, "function_call"),
    ({"response_format": JSON, "stream": True}, "response_format"),
    ({"response_format": JSON, "tools": [TOOL]}, "response_format"),
    ({"clear_thinking": True}, "clear_thinking"),
    ({"disable_reasoning": True}, "disable_reasoning"),
    ({"model_parameters": {}}, "model_parameters"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED, ids=str)
def test_field_that_this_target_cannot_honour_is_refused_by_name(
    fields: dict[str, Any], param: str
) -> None:
    """An answer without it would be another one: the next target may take the request."""
    with pytest.raises(Unsupported) as caught:
        asked(said(**fields))
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert caught.value.retryable
    assert f"'{param}'" in caught.value.message


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 3}, "temperature"),
    ({"n": 0}, "n"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"logit_bias": {"x": 1}}, "logit_bias"),
    ({"logit_bias": {"1": 101}}, "logit_bias[...]"),
    ({"user": 5}, "user"),
    ({"messages": []}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
    ({"stream_options": 5}, "stream_options"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"reasoning_effort": 5}, "reasoning_effort"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
    ({"min_tokens": 1, "min_completion_tokens": 1}, "min_tokens"),
    ({"prediction": {"type": "content"}}, "prediction.content"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=str)
def test_field_that_is_wrong_everywhere_is_a_bad_request(
    fields: dict[str, Any], param: str
) -> None:
    """No other target is asked for what none would take; the words name the field."""
    with pytest.raises(BadRequest) as caught:
        asked(said(**fields))
    assert caught.value.param == param
    assert param.partition("[")[0].partition(".")[0] in caught.value.message


def test_prediction_is_left_out_for_a_model_that_takes_none() -> None:
    """A guess makes an answer faster and changes nothing of it."""
    assert adapted(said(prediction=GUESS), SEEING) == ({"messages": HI}, ("prediction",))


@pytest.mark.parametrize(
    ("model", "asks", "gets"),
    [
        ("zai-glm-4.7", "none", "none"),
        ("zai-glm-4.7", "high", None),  # its only effort is none, which is the opposite
        ("llama3.1-8b", "high", None),
        (SEEING, "none", "none"),
        (SEEING, "minimal", "low"),
        (SEEING, "max", "high"),
    ],
)
def test_effort_is_the_nearest_that_the_model_has(model: str, asks: str, gets: str | None) -> None:
    """Thinking is never turned off, or on, because an effort is not to be had."""
    sent, changes = adapted(said(reasoning_effort=asks), model)
    assert sent.get("reasoning_effort") == gets
    assert bool(changes) is (asks != gets)


def test_nearest_effort_of_two_is_the_higher() -> None:
    """Who asks for more than there is gets no less than needed."""
    assert nearest_effort("medium", ("low", "high")) == "high"
    assert nearest_effort("none", ("medium", "high")) == "medium"
    assert nearest_effort("low", ()) is None


def test_model_without_a_row_is_refused_nothing_that_any_model_can() -> None:
    """A new model, or an endpoint of one's own: Cerebras itself says what it cannot do."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = said(
        messages=[
            {"role": "developer", "content": "d"},
            {"role": "user", "content": [image]},
        ],
        reasoning_effort="none",
        clear_thinking=False,
        prediction=GUESS,
        parallel_tool_calls=True,
    )
    done = asked(body, "a-new-one")
    assert json.loads(done.body) == {**body, "model": "a-new-one"}
    assert done.changes == ()


# ---- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extra", ["", ',"stop":["x"]', ',"stop":["x"],"store":true', ',"tools":null,"store":null']
)
def test_values_that_are_not_touched_keep_their_bytes(extra: str) -> None:
    """The client's numbers and escapes reach Cerebras as they were written: caches depend on it."""
    kept = '"messages":[{"content":"\\u00e9 \\/", "role":"user"}],"temperature":1e0,"seed":1'
    done = adapt_chat(
        f'{{"model":"m",{kept}{extra}}}'.encode(), model="up", row=MODELS[MODEL], relaxes=False
    )
    assert done.body.startswith(f'{{"model":"up",{kept}'.encode())


def test_body_nested_too_deeply_is_a_bad_request() -> None:
    """It is told, not raised as a defect."""
    body = b'{"model":"m","messages":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(BadRequest):
        adapt_chat(body, model="up", row=None)


# ---- all together -------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(body=openai_bodies(), model=st.sampled_from([MODEL, SEEING, "zai-glm-4.7", "llama3.1-8b"]))
def test_any_openai_body_is_accepted_by_the_strict_reader_or_refused(
    body: dict[str, Any], model: str
) -> None:
    """Whatever an OpenAI client may send, Cerebras gets nothing that it would refuse."""
    with suppress(BadRequest, Unsupported):
        done = asked(body, model)
        _must_be_sendable(done, model)


_OPEN = frozenset(["parameters", "schema", "logit_bias", "metadata"])  # hold what anyone likes


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a body whose keys mean something."""
    if isinstance(value, dict):
        yield value
        for key, held in value.items():
            if key not in _OPEN:
                yield from _objects(held)
    elif isinstance(value, list):
        for held in value:
            yield from _objects(held)


@settings(max_examples=300, deadline=None)
@given(body=st.one_of(openai_bodies(), acceptable_bodies()), data=st.data())
def test_any_key_or_value_at_any_place_is_left_out_or_refused(
    body: dict[str, Any], data: st.DataObject
) -> None:
    """What a client adds on its own, or says wrongly, is never sent on as it is."""
    body = json.loads(json.dumps(body))  # strategies may share parts
    holder = data.draw(st.sampled_from(list(_objects(body))))
    key = data.draw(st.sampled_from([*holder, "zz", "name", "strict", "json_schema", "index"]))
    odd: Any = st.sampled_from([None, True, 0, -1, 1.5, "", "zz", [], {}, [None], [{}], {"zz": 1}])
    holder[key] = data.draw(odd)
    with suppress(BadRequest, Unsupported):
        _must_be_sendable(asked(body), MODEL)


def _must_be_sendable(done: Adapted, model: str) -> None:
    must_read(done.body, MODELS[model])
    assert all(word.isascii() and word.isprintable() for word in done.changes)


@settings(max_examples=300, deadline=None)
@given(body=acceptable_bodies())
def test_body_that_cerebras_accepts_comes_out_with_the_same_value(body: dict[str, Any]) -> None:
    """Nothing is done to who speaks Cerebras already."""
    must_read(json.dumps(body).encode(), MODELS[MODEL])
    done = asked(body)
    assert json.loads(done.body) == body
    assert done.changes == ()


@settings(max_examples=200, deadline=None)
@given(body=openai_bodies())
def test_adapted_body_is_left_alone_the_second_time(body: dict[str, Any]) -> None:
    """What was made acceptable once is acceptable: there is nothing left to change."""
    with suppress(BadRequest, Unsupported):
        done = asked(body)
        again = adapt_chat(done.body, model=MODEL, row=MODELS[MODEL])
        assert json.loads(again.body) == json.loads(done.body)
        assert again.changes == ()
