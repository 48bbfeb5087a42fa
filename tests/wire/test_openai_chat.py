"""OpenAI chat requests as they pass through: what is scanned and what is patched."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest, GatewayError
from slipstream.wire.openai_chat import MAX_MODEL_CHARS, Scan, patch_request, scan_request


def _body(more: str = "", *, model: str = '"m"', messages: str = "[]") -> bytes:
    return f'{{"model":{model},"messages":{messages}{"," if more else ""}{more}}}'.encode()


@pytest.mark.parametrize(
    ("body", "scan"),
    [
        (_body(), Scan("m", False, False, None)),
        (_body('"stream":true'), Scan("m", True, False, None)),
        (_body('"stream":false'), Scan("m", False, False, None)),
        (_body('"stream":null'), Scan("m", False, False, None)),
        (_body('"stream_options":null'), Scan("m", False, False, None)),
        (_body('"stream_options":{}'), Scan("m", False, False, None)),
        (
            _body('"stream":true,"stream_options":{"include_usage":true,"x":1}'),
            Scan("m", True, True, None),
        ),
        (_body('"stream_options":{"include_usage":false}'), Scan("m", False, False, None)),
        (_body('"max_tokens":5'), Scan("m", False, False, 5)),
        (_body('"max_completion_tokens":7'), Scan("m", False, False, 7)),
        (_body('"max_tokens":5,"max_completion_tokens":7'), Scan("m", False, False, 7)),
        (_body('"max_tokens":-1'), Scan("m", False, False, -1)),  # "no limit" for some upstreams
        (_body('"max_tokens":9007199254740992'), Scan("m", False, False, 2**53)),
        (_body(model='"a/\\u00e9\\n"'), Scan("a/é\n", False, False, None)),
        (_body('"model":"last"'), Scan("last", False, False, None)),  # a key twice: the last counts
        (_body('"unknown":[1,{"x":NUL}]'.replace("NUL", "null")), Scan("m", False, False, None)),
        (b" \r\n" + _body() + b"\n", Scan("m", False, False, None)),
        (
            _body(messages='[{"role":"user","content":"' + "é" * 9 + '"}]'),
            Scan("m", False, False, None),
        ),
        (
            _body(model='"' + "x" * MAX_MODEL_CHARS + '"'),
            Scan("x" * MAX_MODEL_CHARS, False, False, None),
        ),
    ],
)
def test_scan_request_good_body_gives_what_routing_needs(body: bytes, scan: Scan) -> None:
    """Only the fields that routing needs are read; all else may be anything."""
    assert scan_request(body) == scan


BAD: list[tuple[bytes, str | None, str]] = [
    (b"", None, "invalid_json"),
    (b"{", None, "invalid_json"),
    (b"\xef\xbb\xbf" + _body(), None, "invalid_json"),
    (_body() + b"x", None, "invalid_json"),
    (_body(messages="[NaN]"), None, "invalid_json"),
    (_body(messages="[Infinity]"), None, "invalid_json"),
    (_body(messages="[01]"), None, "invalid_json"),
    (_body(messages="['a']"), None, "invalid_json"),
    (_body(messages='["\x01"]'), None, "invalid_json"),
    (_body('"x":"\xff"').replace("ÿ".encode(), b"\xff"), None, "invalid_json"),
    (_body(messages='["ÿ"]').replace("ÿ".encode(), b"\xff"), None, "invalid_json"),
    (_body('"ÿ":1').replace("ÿ".encode(), b"\xff"), None, "invalid_json"),
    (b"[]", None, "invalid_type"),
    (b"null", None, "invalid_type"),
    (b"5", None, "invalid_type"),
    (b'"text"', None, "invalid_type"),
    (b"{}", "model", "missing_required_parameter"),
    (b'{"messages":[]}', "model", "missing_required_parameter"),
    (b'{"model":"m"}', "messages", "missing_required_parameter"),
    (_body(model="5"), "model", "invalid_type"),
    (_body(model="null"), "model", "invalid_type"),
    (_body(model='""'), "model", "invalid_value"),
    (_body(model='"' + "x" * (MAX_MODEL_CHARS + 1) + '"'), "model", "invalid_value"),
    (_body(messages="null"), "messages", "invalid_type"),
    (_body(messages="{}"), "messages", "invalid_type"),
    (_body(messages='"hello"'), "messages", "invalid_type"),
    (_body('"stream":"true"'), "stream", "invalid_type"),
    (_body('"stream":1'), "stream", "invalid_type"),
    (_body('"stream_options":[]'), "stream_options", "invalid_type"),
    (_body('"stream_options":true'), "stream_options", "invalid_type"),
    (
        _body('"stream_options":{"include_usage":1}'),
        "stream_options.include_usage",
        "invalid_type",
    ),
    (_body('"max_tokens":"5"'), "max_tokens", "invalid_type"),
    (_body('"max_tokens":1.5'), "max_tokens", "invalid_type"),
    (_body('"max_tokens":true'), "max_tokens", "invalid_type"),
    (_body('"max_tokens":9007199254740993'), "max_tokens", "invalid_value"),
    (_body('"max_tokens":' + "9" * 5000), "max_tokens", "invalid_value"),
    (_body('"max_completion_tokens":[5]'), "max_completion_tokens", "invalid_type"),
]


@pytest.mark.parametrize(("body", "param", "code"), BAD)
def test_scan_request_bad_body_is_a_bad_request_that_names_the_field(
    body: bytes, param: str | None, code: str
) -> None:
    """Each slip of a caller has its field and code, and no traceback."""
    with pytest.raises(BadRequest) as caught:
        scan_request(body)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize("bomb", ["[" * 200_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 200_000])
@pytest.mark.parametrize("place", ["messages", "unknown", "model", "stream_options"])
def test_scan_request_nesting_bomb_is_a_bad_request(bomb: str, place: str) -> None:
    """Regression: the decoder's `RecursionError` went up as it was."""
    fields = {"model": '"m"', "messages": "[]", place: bomb}
    body = "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"
    with pytest.raises(BadRequest):
        scan_request(body.encode())


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)
_names = ["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"]
_requests = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=6), "messages": st.lists(_json, max_size=3)},
    optional={
        "stream": st.booleans() | st.none(),
        "stream_options": st.none() | st.dictionaries(st.sampled_from(["x", "é"]), _json),
        "temperature": st.floats(allow_nan=False, allow_infinity=False),
        "tools": st.lists(_json, max_size=2),
        "metadata": st.dictionaries(st.text(max_size=5), _json, max_size=3),
    },
)


@given(st.binary(max_size=80) | st.dictionaries(st.sampled_from(_names), _json).map(json.dumps))
def test_scan_request_anything_gives_a_scan_or_a_gateway_error(said: bytes | str) -> None:
    """No input raises anything but our own error; what passes the scan can be patched."""
    body = said if isinstance(said, bytes) else said.encode()
    try:
        scan_request(body)
    except GatewayError:
        return
    patch_request(body, model="u", ask_usage=True)


# Spellings that a decoder and encoder would each lose.
ODD = (
    b'{"temperature" : 1.0e5, "top_p":1.10,"seed":18446744073709551617,"model":"caf\\u00e9",'
    b'"messages":[ {"role":"user", "content":"\\u0041\\/ \xf0\x9f\x98\x80 \\ud83d\\ude00"} ],'
    b'"logit_bias":{"5":-1E2},\n"stop":null ,"user":"\xc3\xa9", "x":-0.0,"empty":[ ]}'
)


def _raw_fields(body: bytes) -> dict[str, bytes]:
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return {name: bytes(raw) for name, raw in fields.items()}


def test_patch_request_changes_the_model_and_no_other_byte_of_a_value() -> None:
    """Number spellings, escapes, spaces and the order of the keys are the client's own."""
    patched = patch_request(ODD, model="up/stream-é", ask_usage=False)
    before, after = _raw_fields(ODD), _raw_fields(patched)
    assert list(after) == list(before)
    assert after.pop("model") == '"up/stream-é"'.encode()
    del before["model"]
    assert after == before
    assert after["temperature"] == b"1.0e5"
    assert after["top_p"] == b"1.10"


@pytest.mark.parametrize(
    ("options", "merged"),
    [
        (None, {"include_usage": True}),
        ("null", {"include_usage": True}),
        ("{}", {"include_usage": True}),
        ("{ }", {"include_usage": True}),
        ('{"include_usage":false}', {"include_usage": True}),
        ('{"include_usage":null,"y":[1]}', {"include_usage": True, "y": [1]}),
        (
            '{"include_obfuscation":false}',
            {"include_obfuscation": False, "include_usage": True},
        ),
    ],
)
def test_patch_request_ask_usage_keeps_the_other_stream_options(
    options: str | None, merged: dict[str, Any]
) -> None:
    """Our question for usage is added to what the client asked for."""
    body = _body() if options is None else _body(f'"stream_options":{options}')
    assert json.loads(patch_request(body, model="m", ask_usage=True))["stream_options"] == merged


def test_patch_request_ask_usage_off_leaves_stream_options_alone() -> None:
    """Nothing is added where the client's own question is enough."""
    body = _body('"stream_options":{"include_usage" :true}')
    assert patch_request(body, model="m", ask_usage=False) == body


def test_patch_request_model_that_looks_like_json_stays_one_string() -> None:
    """An upstream id cannot add fields."""
    patched = patch_request(_body(), model='","stream":true,"x":"', ask_usage=False)
    assert json.loads(patched) == {"model": '","stream":true,"x":"', "messages": []}


def test_patch_request_deeper_in_the_stack_than_the_scan_is_a_bad_request() -> None:
    """Regression: nesting that the scan just allowed raised `RecursionError` further down."""

    def deeper(num_frames: int) -> bytes:
        if num_frames:
            return deeper(num_frames - 1)
        return patch_request(body, model="m", ask_usage=False)

    body = _body(messages="[" * 850 + "]" * 850)
    scan_request(body)
    with pytest.raises(BadRequest):
        deeper(300)


@given(_requests, st.booleans())
def test_patch_request_any_request_keeps_every_other_value(
    request_: dict[str, Any], ask_usage: bool
) -> None:
    """Whatever the client wrote, only patched keys differ, byte for byte."""
    body = json.dumps(request_, ensure_ascii=False).encode()
    try:
        scan_request(body)
    except BadRequest:
        return  # a number over every reader's range, or half a surrogate
    before = _raw_fields(body)
    after = _raw_fields(patch_request(body, model="other", ask_usage=ask_usage))
    patched = {"model", "stream_options"} if ask_usage else {"model"}
    assert {k: v for k, v in after.items() if k not in patched} == {
        k: v for k, v in before.items() if k not in patched
    }
    assert after["model"] == b'"other"'
    if ask_usage:
        options = json.loads(after["stream_options"])
        assert options == {**(request_.get("stream_options") or {}), "include_usage": True}
