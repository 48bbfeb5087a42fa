"""What a request needs, where every dialect has the same way to say it."""

import msgspec
import pytest

from slipstream.choice import CHAT, CHOICES, JSON_OBJECT, JSON_SCHEMA, LOGPROBS, REASONING, TOOLS
from slipstream.wire.routing.tally import NOTHING, Tally, decoded, is_given, starts_with
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.parcels import CallSeal, Parcel, close_parcel

Raw = msgspec.Raw


@pytest.mark.parametrize("said", [b"null", b"[]", b"{}", b'""', b"false"])
def test_what_says_nothing_is_not_given(said: bytes) -> None:
    """Nor is a field that is not there."""
    assert not is_given(Raw(said))
    assert not is_given(NOTHING)
    assert is_given(Raw(said + b" "))


def test_starts_with_tells_the_first_byte() -> None:
    """A field that is not there starts with nothing."""
    assert starts_with(Raw(b"[1]"), b"[")
    assert not starts_with(Raw(b"{}"), b"[")
    assert not starts_with(NOTHING, b"[")


def test_decoded_of_another_shape_is_none() -> None:
    """Whoever reads it whole says what is wrong."""
    decoder = msgspec.json.Decoder(list[int])
    assert decoded(decoder, b"[1]") == [1]
    assert decoded(decoder, b'"1"') is None
    assert decoded(decoder, b"[") is None
    assert decoded(decoder, NOTHING) is None


@pytest.mark.parametrize(
    ("said", "ability"),
    [
        (b'"high"', REASONING),
        (b'"minimal"', REASONING),
        (b'"none"', 0),
        (b"null", 0),
        (b'{"effort":"low"}', REASONING),
        (b'{"effort":"none","summary":"auto"}', 0),
        (b'{"max_tokens":500}', REASONING),
        (b'{"max_tokens":0}', 0),
        (b'{"enabled":true}', REASONING),
        (b'{"enabled":false}', 0),
        (b'{"exclude":true}', 0),
        (b'{"summary":"auto"}', REASONING),
    ],
    ids=str,
)
def test_effort_of_the_table(said: bytes, ability: int) -> None:
    """A word, or an object; no thinking needs no ability."""
    tally = Tally(0)
    tally.see_effort(Raw(said))
    assert tally.abilities == ability


@pytest.mark.parametrize(
    ("said", "ability"),
    [
        (b'{"type":"enabled","budget_tokens":2000}', REASONING),
        (b'{"type":"between_tools"}', REASONING),
        (b'{"type":"adaptive"}', 0),
        (b'{"type":"disabled"}', 0),
        (b'{"type":[1]}', REASONING),
        (b"{}", 0),
        (b"[1]", 0),
    ],
    ids=str,
)
def test_thinking_of_the_table(said: bytes, ability: int) -> None:
    """What leaves it to the model asks for nothing; what is wrong is told elsewhere."""
    tally = Tally(0)
    tally.see_thinking(Raw(said))
    assert tally.abilities == ability


def test_forms_scores_choices_and_tools() -> None:
    """Each only where it asks for more than what happens anyway."""
    tally = Tally(CHAT)
    tally.see_form(Raw(b'{"type":"text"}'))
    tally.see_form(Raw(b'{"type":{}}'))
    tally.see_scores(Raw(b"false"), Raw(b"0"), NOTHING)
    tally.see_choices(Raw(b"1"), Raw(b"null"), NOTHING)
    tally.see_tools(Raw(b"[]"), NOTHING)
    assert tally.abilities == CHAT
    tally.see_form(Raw(b'{"type":"json_schema"}'))
    tally.see_form(Raw(b'{"type":"json_object"}'))
    tally.see_scores(Raw(b"true"))
    tally.see_choices(Raw(b"2"))
    tally.see_tools(Raw(b"[{}]"))
    assert tally.abilities == CHAT | JSON_SCHEMA | JSON_OBJECT | LOGPROBS | CHOICES | TOOLS


def test_documents_by_address_have_a_usual_size() -> None:
    """Those by their bytes have as many tokens as pages."""
    tally = Tally(0)
    tally.see_document(Raw(b'{"url":"https://x/y.pdf"}'))
    by_address = tally.media_tokens
    tally.see_document(Raw(b'"' + b"A" * 400_000 + b'"'))
    assert by_address > 1000
    assert tally.media_tokens - by_address == pytest.approx(10_000, rel=0.01)


def test_seals_are_their_vendors() -> None:
    """A parcel of ours is of whoever is in it; one that was changed is nobody's here."""
    seal = Seal(vendor="gemini", kind="thought_signature", data="x")
    of_call = CallSeal("c", Seal(vendor="openai", kind="encrypted_content", data="y"))
    parcel = close_parcel(Parcel(seals=(seal,), call_seals=(of_call,)))
    tally = Tally(0)
    tally.see_seal(Raw(msgspec.json.encode(parcel)), "anthropic")
    assert tally.sealed_by == {"gemini", "openai"}
    tally = Tally(0)
    tally.see_seal(Raw(msgspec.json.encode(parcel[:-3] + "!")), "anthropic")
    tally.see_seal(Raw(b"3"), "anthropic")
    tally.see_seal(NOTHING, "anthropic")
    assert not tally.sealed_by
    tally.see_seal(Raw(b'"EqQB"'), "anthropic")
    assert tally.needs(0).sealed_by == frozenset({"anthropic"})
