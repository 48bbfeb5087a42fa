"""Tests of slipstream.wire.talk.names."""

from slipstream.wire.talk.names import field_name


def test_field_name_is_the_clients_own() -> None:
    """One field of Asked has another name in each dialect; most have the same in all."""
    assert field_name("openai_chat", "max_tokens") == "max_completion_tokens"
    assert field_name("anthropic_messages", "max_tokens") == "max_tokens"
    assert field_name("openai_responses", "max_tokens") == "max_output_tokens"
    assert field_name("anthropic_messages", "form") == "output_config.format"
    assert field_name("a dialect to come", "is_parallel") == "parallel_tool_calls"
    assert field_name("openai_chat", "temperature") == "temperature"
