"""From bytes to a Call: by the door and the profile, and with what each counts as the request."""

import json

import pytest

from slipstream.call import Dialect
from slipstream.choice import Wishes
from slipstream.errors import BadRequest
from slipstream.server.doors import doors_of
from slipstream.server.profiles import ANTHROPIC, CEREBRAS, OPENAI, RESPONSES, Profile
from slipstream.server.reading import read_call
from slipstream.wire.cerebras.models import row_for
from tests.server.asking import chat

DOORS = doors_of(row_for)


@pytest.mark.parametrize(
    ("path", "profile", "body", "dialect"),
    [
        ("/chat/completions", OPENAI, chat(), Dialect.OPENAI_CHAT),
        ("/chat/completions", CEREBRAS, chat(model="gpt-oss-120b"), Dialect.CEREBRAS_CHAT),
        ("/embeddings", CEREBRAS, b'{"model":"m","input":"x"}', Dialect.OPENAI_EMBEDDINGS),
        ("/messages", ANTHROPIC, chat(max_tokens=9), Dialect.ANTHROPIC_MESSAGES),
        ("/responses", RESPONSES, b'{"model":"m","input":"x"}', Dialect.OPENAI_RESPONSES),
    ],
    ids=["chat", "cerebras", "no door of its own", "messages", "responses"],
)
def test_door_and_profile_decide_the_dialect(
    path: str, profile: Profile, body: bytes, dialect: Dialect
) -> None:
    """A profile without a row of its own at a path is read as OpenAI's."""
    call, scan = read_call(DOORS[path], profile, {}, body, "req-1", "key-1")
    assert (call.dialect, call.body, call.model) == (dialect, body, json.loads(body)["model"])
    assert (call.call_id, call.key_id, call.priority) == ("req-1", "key-1", 0)
    assert scan.num_choices == 1


def test_headers_that_are_part_of_the_request_go_with_it() -> None:
    """Those of the dialect, and no other: a key stays at the door."""
    headers = {b"anthropic-beta": b"some-2026", b"x-api-key": b"secret"}
    call, _ = read_call(
        DOORS["/messages"], ANTHROPIC, headers, chat(max_tokens=9), "req-1", "key-1", -1
    )
    assert call.headers == ((b"anthropic-beta", b"some-2026"),)
    assert call.priority == -1


@pytest.mark.parametrize(
    ("path", "profile", "body"),
    [
        ("/chat/completions", OPENAI, chat()),
        ("/chat/completions", CEREBRAS, chat(model="gpt-oss-120b")),
        ("/completions", CEREBRAS, b'{"model":"gpt-oss-120b","prompt":"x"}'),
        ("/embeddings", OPENAI, b'{"model":"m","input":"x"}'),
        ("/messages", ANTHROPIC, chat(max_tokens=9)),
        ("/responses", RESPONSES, b'{"model":"m","input":"x"}'),
        ("/responses/compact", RESPONSES, b'{"model":"m","input":"x"}'),
    ],
    ids=["chat", "cerebras", "texts", "embeddings", "messages", "responses", "compaction"],
)
def test_wishes_are_taken_out_before_the_dialect_is_read(
    path: str, profile: Profile, body: bytes
) -> None:
    """Also where an unknown key is refused; the call has them, and the body as it was."""
    said = body[:-1] + b',"slipstream":{"strategy":"race"}}'
    headers = {b"x-slipstream": b"max_runners=3"}
    call, _ = read_call(DOORS[path], profile, headers, said, "req-1", "key-1")
    assert call.wishes == Wishes(strategy="race", max_runners=3)
    assert call.body == body


def test_list_of_models_is_refused_where_cerebras_would() -> None:
    """Everywhere else it is whom to ask next."""
    body = chat(model="gpt-oss-120b", models=["b"])
    call, _ = read_call(DOORS["/chat/completions"], OPENAI, {}, body, "req-1", "key-1")
    assert call.wishes == Wishes(targets=("gpt-oss-120b", "b"))
    with pytest.raises(BadRequest, match="models"):
        read_call(DOORS["/chat/completions"], CEREBRAS, {}, body, "req-1", "key-1")


@pytest.mark.parametrize(("is_stream", "patience_s"), [(False, 10.0), (True, None)])
def test_patience_is_of_plain_answers_alone(is_stream: bool, patience_s: float | None) -> None:
    """Of a stream the SDK tells how long it waits between two reads."""
    headers = {b"x-stainless-read-timeout": b"10.0"}
    body = chat(stream=is_stream)
    call, _ = read_call(DOORS["/chat/completions"], OPENAI, headers, body, "req-1", "key-1")
    assert call.patience_s == patience_s


def test_body_that_cannot_be_answered_is_refused() -> None:
    """The reader's own words come through."""
    with pytest.raises(BadRequest, match="messages"):
        read_call(DOORS["/chat/completions"], OPENAI, {}, b'{"model":"m"}', "req-1", "key-1")
