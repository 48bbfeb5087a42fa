"""Tests of slipstream.wire.messages.names."""

import pytest

from slipstream.wire.messages.names import DIALECT, Changes, name_in


@pytest.mark.parametrize(
    ("dialect", "field", "name"),
    [
        ("openai_chat", "max_tokens", "max_completion_tokens"),
        ("openai_chat", "output_config.format", "response_format"),
        ("openai_chat", "messages.name", "messages.name"),
        ("openai_responses", "messages.name", "input.name"),
        ("openai_responses", "thinking", "reasoning.effort"),
        ("openai_chat", "messages.thinking", "reasoning_content"),
        ("openai_chat", "speed", "service_tier"),
        (DIALECT, "output_config.effort", "output_config.effort"),
        (DIALECT, "stop_sequences", "stop_sequences"),
        (DIALECT, "max_tokens", "max_tokens"),
        (DIALECT, "temperature", "temperature"),
    ],
)
def test_name_in_is_what_the_client_wrote(dialect: str, field: str, name: str) -> None:
    """A header that names what was changed is read by someone who knows their own dialect."""
    assert name_in(dialect, field) == name


def test_changes_are_named_once_and_in_order() -> None:
    """A field that is changed in ten messages is one name."""
    changes = Changes("openai_chat")
    for field, instead in (("seed", None), ("max_tokens", "8"), ("seed", None)):
        changes.add(field, instead)
    assert changes.names() == ("seed", "max_completion_tokens -> 8")
