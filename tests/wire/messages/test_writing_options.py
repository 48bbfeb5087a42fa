"""Tests of slipstream.wire.messages.writing_options."""

from typing import Any

import pytest

from slipstream.wire.messages.names import Changes
from slipstream.wire.messages.writing_options import write_sampling, write_service_tier
from slipstream.wire.talk.means import Sampling
from tests.wire.messages.requests import asking

ADAPTIVE = {"type": "adaptive"}


@pytest.mark.parametrize(
    ("sampling", "thinking", "fields", "names"),
    [
        (Sampling(temperature=0.0), None, {"temperature": 0.0}, ()),
        (Sampling(temperature=1.5), None, {"temperature": 1.0}, ("temperature -> 1",)),
        (Sampling(temperature=0.5, top_p=0.9), None, {"temperature": 0.5}, ("top_p",)),
        (Sampling(top_p=0.9, top_k=3), None, {"top_p": 0.9, "top_k": 3}, ()),
        (
            Sampling(temperature=0.5, top_p=0.9, top_k=3),
            ADAPTIVE,
            {},
            ("temperature", "top_p", "top_k"),
        ),
        (Sampling(temperature=1.0), ADAPTIVE, {"temperature": 1.0}, ()),
        (Sampling(top_p=0.95), {"type": "enabled"}, {"top_p": 0.95}, ()),
        (Sampling(temperature=0.5), {"type": "disabled"}, {"temperature": 0.5}, ()),
        (Sampling(stop=("a", " b")), None, {"stop_sequences": ("a", " b")}, ()),
        (
            Sampling(frequency_penalty=0.0, presence_penalty=1, repetition_penalty=1.1),
            None,
            {},
            ("frequency_penalty", "presence_penalty", "repetition_penalty"),
        ),
    ],
)
def test_write_sampling_says_what_can_be_said(
    sampling: Sampling, thinking: Any, fields: dict[str, Any], names: tuple[str, ...]
) -> None:
    """A temperature is at most 1, stands alone, and not beside thinking."""
    changes = Changes("openai_chat")
    assert write_sampling(asking(sampling=sampling), thinking, changes) == fields
    assert changes.names() == names


@pytest.mark.parametrize(
    ("dialect", "tier", "fields", "names"),
    [
        ("openai_chat", None, {}, ()),
        ("openai_chat", "auto", {"service_tier": "auto"}, ()),
        ("openai_chat", "default", {"service_tier": "standard_only"}, ()),
        ("openai_chat", "priority", {"speed": "fast"}, ()),
        ("openai_chat", "flex", {}, ("service_tier",)),
        ("anthropic_messages", "new", {"service_tier": "new"}, ()),
    ],
)
def test_write_service_tier_has_two_fields(
    dialect: str, tier: str | None, fields: dict[str, str], names: tuple[str, ...]
) -> None:
    """What others call a tier may be a speed here."""
    changes = Changes(dialect)
    asked = asking(dialect=dialect, service_tier=tier)
    assert write_service_tier(asked, changes) == fields
    assert changes.names() == names
