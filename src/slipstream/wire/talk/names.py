"""What clients call the fields of an Asked: changes and refusals name them in their own words."""

from typing import Final

_SAME: Final[dict[str, str]] = {
    "is_parallel": "parallel_tool_calls",
    "form": "response_format",
    "thinking": "reasoning_effort",
    "max_tokens": "max_completion_tokens",
    "num_choices": "n",
    "cache_key": "prompt_cache_key",
    "hosted_tools": "tools",
    "turns": "messages",
    "cache": "cache_control",
    "thoughts": "reasoning",
    "is_stream": "stream",
}

# By the values of call.Dialect; what stands in none of the tables is called as in Asked.
_OTHERWISE: Final[dict[str, dict[str, str]]] = {
    "openai_chat": {"cache": "prompt_cache_breakpoint", "thoughts": "reasoning_content"},
    "openai_completions": {"max_tokens": "max_tokens", "turns": "prompt"},
    "openai_responses": {
        "max_tokens": "max_output_tokens",
        "form": "text.format",
        "verbosity": "text.verbosity",
        "thinking": "reasoning.effort",
        "turns": "input",
    },
    "anthropic_messages": {
        "max_tokens": "max_tokens",
        "form": "output_config.format",
        "thinking": "thinking",
        "thoughts": "thinking",
        "user": "metadata.user_id",
        "stop": "stop_sequences",
        "is_parallel": "tool_choice.disable_parallel_tool_use",
    },
}


def field_name(dialect: str, field: str) -> str:
    """Return what a client of a dialect calls a field of Asked, of its Sampling or of a part."""
    return _OTHERWISE.get(dialect, {}).get(field) or _SAME.get(field, field)
