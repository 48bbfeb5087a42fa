"""What providers of chat refuse in what one field says beside another; the table has the rest.

Each check raises BadRequest, in words like the provider's.

Source: ../shared/reference/providers.md, sections 1 and 3 to 8; protocols.md, section E.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.seals import open_seal

_STAND_IN: Final = "skip_thought_signature_validator"


def refusal(message: str, param: str, *, status: int = 400, code: str | None = None) -> BadRequest:
    """Return an error with a status of the provider's."""
    error = BadRequest(message, param=param, code=code)
    error.status = status
    return error


def check_form_and_tools(said: dict[str, Any]) -> None:
    """Refuse a form of the answer beside tools."""
    form = said.get("response_format") or {}
    if said.get("tools") and form.get("type") in ("json_schema", "json_object"):
        raise refusal("json mode cannot be combined with tool/function calling", "response_format")


def check_one_choice(said: dict[str, Any]) -> None:
    """Refuse more than one choice."""
    if said.get("n") not in (None, 1):
        raise refusal("'n' : number must be at most 1", "n")


def check_formats(said: dict[str, Any]) -> None:
    """Refuse both ways of saying how reasoning is shown."""
    if said.get("reasoning_format") is not None and said.get("include_reasoning") is not None:
        raise refusal("reasoning_format and include_reasoning exclude each other", "messages")


def check_efforts(*accepted: str) -> Callable[[dict[str, Any]], None]:
    """Return what refuses other efforts than these."""

    def check(said: dict[str, Any]) -> None:
        effort = said.get("reasoning_effort")
        if effort is not None and effort not in accepted:
            words = ", ".join(accepted)
            raise refusal(
                f"reasoning_effort must be one of {words}, not {effort}", "reasoning_effort"
            )

    return check


def check_openai_generation(said: dict[str, Any]) -> None:
    """Refuse what models that reason refuse, by the names of those that always do."""
    model = str(said.get("model"))
    is_reasoning = re.match(r"(o\d|gpt-[56])", model)
    if is_reasoning and said.get("max_tokens") is not None:
        raise refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            "max_tokens",
            code="unsupported_parameter",
        )
    if re.match(r"(o\d|gpt-6(-astra|\.1-sol))", model) and said.get("temperature") not in (None, 1):
        raise refusal(
            "Unsupported value: 'temperature' does not support this value with this model.",
            "temperature",
            code="unsupported_value",
        )


def check_grok(said: dict[str, Any]) -> None:
    """Refuse what grok-4 and later do not have."""
    if not str(said.get("model")).startswith("grok-4"):
        return
    for name in ("stop", "frequency_penalty", "presence_penalty"):
        if said.get(name) is not None:
            raise refusal(f"Model does not support parameter {name}.", name)


def _calls(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for m in said.get("messages", ()) for call in m.get("tool_calls") or ()]


def check_gemini_signatures(said: dict[str, Any]) -> None:
    """Demand the signature of the first call of each step since the user spoke last."""
    for call in _calls(said):
        signature = _signature_of(call)
        if signature not in (None, _STAND_IN) and open_seal("gemini", str(signature)) is None:
            raise refusal("Corrupted thought signature.", "messages")
    found = re.match(r"gemini-(\d+)", str(said.get("model")))
    if found is None or int(found[1]) < 3:
        return
    messages = said["messages"]
    starts = [at for at, message in enumerate(messages) if message.get("role") == "user"]
    for message in messages[starts[-1] if starts else 0 :]:
        calls = message.get("tool_calls") or ()
        if calls and _signature_of(calls[0]) is None:
            raise refusal("Function call is missing a thought_signature.", "messages")


def _signature_of(call: dict[str, Any]) -> object:
    google = (call.get("extra_content") or {}).get("google") or {}
    found: object = google.get("thought_signature")
    return found


def check_details(said: dict[str, Any]) -> None:
    """Check that what OpenRouter gave out comes back as it was, whole or in its pieces."""
    for message in said["messages"]:
        details = message.get("reasoning_details") or ()
        text = "".join(str(detail.get("text") or "") for detail in details)
        sealed = [str(d["signature"]) for d in details if d.get("signature")]
        if details and [open_seal("openrouter", one) for one in sealed] != [text]:
            raise refusal("Invalid signature in reasoning_details", "messages")


def check_image_urls(said: dict[str, Any]) -> None:
    """Refuse images by their address."""
    for message in said["messages"]:
        parts = message.get("content")
        for part in parts if isinstance(parts, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            url = image.get("url") if isinstance(image, dict) else image
            if isinstance(url, str) and not url.startswith("data:"):
                raise refusal("Unable to process input image: expected a data URL", "messages")


def check_pairs(messages: list[dict[str, Any]]) -> None:
    """Check that the messages of tools follow, and answer, the calls of one message.

    Raises:
        BadRequest: They do not.
    """
    waiting: list[str] = []
    for at, message in enumerate([*messages, {"role": "end"}]):
        if message.get("role") == "tool":
            call_id = str(message.get("tool_call_id"))
            if call_id not in waiting:
                raise refusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    f"messages[{at}].role",
                )
            waiting.remove(call_id)
            continue
        if waiting:
            raise refusal(
                "An assistant message with 'tool_calls' must be followed by tool messages "
                "responding to each 'tool_call_id'. The following tool_call_ids did not have "
                f"response messages: {', '.join(waiting)}",
                f"messages[{at}].role",
            )
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]
