"""What calls of every dialect need; whatever is in them, nothing is raised."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Call, Dialect
from slipstream.choice import CHAT, CHOICES, COMPLETIONS, EMBEDDINGS, LOGPROBS, Needs
from slipstream.wire.needs import needs_of

CLIENTS = [dialect for dialect in Dialect if dialect is not Dialect.GEMINI]


def needs(dialect: Dialect, body: bytes) -> Needs:
    """Return what a body needs."""
    return needs_of(Call(call_id="c", dialect=dialect, body=body, model="m", key_id="k"))


@pytest.mark.parametrize("dialect", CLIENTS)
def test_every_dialect_names_its_endpoint(dialect: Dialect) -> None:
    """A body that says nothing needs no more than who speaks at all."""
    kinds = {"completions": COMPLETIONS, "embeddings": EMBEDDINGS}
    kind = kinds.get(dialect.value.rpartition("_")[2], CHAT)
    assert needs(dialect, b"{}") == Needs(abilities=kind)
    assert needs(dialect, b"no JSON").abilities == kind


def test_what_no_client_speaks_is_as_long_as_it_is() -> None:
    """Every dialect has a row."""
    assert needs(Dialect.GEMINI, b"{}") == Needs(input_bytes=2)


@pytest.mark.parametrize("dialect", [Dialect.OPENAI_COMPLETIONS, Dialect.CEREBRAS_COMPLETIONS])
def test_completions_of_a_text(dialect: Dialect) -> None:
    """Log probabilities may be asked for by the number 0."""
    body = {"prompt": "x" * 100, "suffix": "y" * 50, "logprobs": 0, "best_of": 3}
    found = needs(dialect, json.dumps(body).encode())
    assert found.abilities == COMPLETIONS | LOGPROBS | CHOICES
    assert found.input_bytes == 154


def test_embeddings_count_their_input() -> None:
    """Nothing else of them is read."""
    body = json.dumps({"model": "m", "input": ["x" * 100, "y"], "dimensions": 8}).encode()
    assert needs(Dialect.OPENAI_EMBEDDINGS, body).input_bytes == 109


words = st.sampled_from(
    (
        *("content", "type", "text", "input", "output", "messages", "tools", "thinking", "source"),
        *("image", "image_url", "data", "reasoning", "reasoning_details", "format", "signature"),
        *("encrypted_content", "extra_content", "tool_calls", "tool_result", "slipstream.1."),
    )
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=25,
)


@given(st.sampled_from(CLIENTS), st.dictionaries(words, anything, max_size=5))
def test_any_body_has_needs(dialect: Dialect, said: dict[str, Any]) -> None:
    """Wrong types anywhere are somebody else's to tell."""
    body = json.dumps(said).encode()
    found = needs(dialect, body)
    assert 0 <= found.input_bytes <= len(body)
    assert found.media_tokens >= 0


@given(st.sampled_from(CLIENTS), st.binary(max_size=60))
def test_any_bytes_have_needs(dialect: Dialect, body: bytes) -> None:
    """Also those that no door would accept."""
    assert needs(dialect, body).input_bytes <= len(body)


@pytest.mark.parametrize("text", ["x" * 400, 'q"\\n' * 100], ids=["plain", "escapes"])
def test_needs_of_a_large_body_are_linear(text: str) -> None:
    """Ten times the messages take no more than about ten times the time."""

    def took_s(num: int) -> float:
        body = json.dumps({"messages": [{"role": "user", "content": text}] * num}).encode()
        best = float("inf")
        for _ in range(5):
            began_s = time.process_time()
            needs(Dialect.OPENAI_CHAT, body)
            best = min(best, time.process_time() - began_s)
        return best

    assert took_s(5000) < 60 * took_s(500) + 0.05
