"""Bodies that clients of Cerebras send, and how the refusal of one is told to them."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from slipstream.errors import GatewayError
from slipstream.wire.cerebras.errors import error_body, status_of
from slipstream.wire.cerebras.request import read_cerebras_request

HI: Final = [{"role": "user", "content": "hi"}]
TOOL: Final = {"type": "function", "function": {"name": "f"}}
CALL: Final = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKS: Final = {"role": "assistant", "tool_calls": [CALL]}
ANSWER: Final = {"role": "tool", "tool_call_id": "a", "content": "1"}
JSON_OBJECT: Final = {"type": "json_object"}
STRICT: Final = {"type": "object", "properties": {}, "additionalProperties": False}


def chat(**fields: Any) -> dict[str, Any]:
    """Return a chat that is right but for these fields."""
    return {"model": "gpt-oss-120b", "messages": HI} | fields


def schema_format(schema: Any, *, is_strict: bool = True) -> dict[str, Any]:
    """Return a response_format of a JSON schema."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": schema, "strict": is_strict},
    }


def unknown(*paths: str) -> str:
    """Return the recorded words about keys that are not known."""
    return "\n".join(f"{path}: property '{path}' is unsupported" for path in paths)


def refusal(
    body: Any, read: Callable[[Any], object] = read_cerebras_request
) -> tuple[int, dict[str, Any]]:
    """Return the status and the body with which a request is refused."""
    with pytest.raises(GatewayError) as caught:
        read(body)
    told: dict[str, Any] = msgspec.json.decode(error_body(caught.value))
    return status_of(caught.value), told


def flat(message: str, param: str = "validation_error") -> tuple[int, dict[str, str]]:
    """Return the status and the body of a request that breaks a rule."""
    return 400, {
        "message": message,
        "type": "invalid_request_error",
        "param": param,
        "code": "wrong_api_format",
    }
