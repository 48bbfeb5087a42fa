"""How many tokens a request has, nearly: for those who only ask that, and for a stream's start.

About four bytes of English or JSON make a token; what is no text has its usual size.
"""

from typing import Final

from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

_BYTES_PER_TOKEN: Final = 4
_PER_TURN: Final = 4
_IMAGE_TOKENS: Final = 1_600  # what Anthropic says of a picture of 1.15 megapixels
_BASE64_BYTES_PER_TOKEN: Final = 40  # a page of a PDF has about 100 kB and 2,500 tokens


def estimate_tokens(asked: Asked) -> int:
    """Return about how many tokens the model will read."""
    num_bytes = sum(
        len(tool.name) + _size(tool.description) + _size(tool.schema) for tool in asked.tools
    )
    num_bytes += sum(len(hosted.raw) for hosted in asked.hosted_tools)
    if asked.form is not None:
        num_bytes += _size(asked.form.schema)
    tokens = num_bytes // _BYTES_PER_TOKEN
    for turn in asked.turns:
        tokens += _PER_TURN + sum(map(_of_part, turn.parts))
    return max(tokens, 1)


def _of_part(part: Part) -> int:
    match part:
        case Text() | Reasoning() | Refusal():
            return _of_text(part.text)
        case Image():
            return _IMAGE_TOKENS
        case Document():
            pages = _size(part.data) // _BASE64_BYTES_PER_TOKEN
            return pages + _of_text(part.text or "") + _of_text(part.context or "")
        case Audio():
            return len(part.data) // _BASE64_BYTES_PER_TOKEN
        case ToolCall():
            return _of_text(part.name) + _of_text(part.arguments)
        case ToolResult():
            return sum(map(_of_part, part.parts))


def _of_text(text: str) -> int:
    return -(-_size(text) // _BYTES_PER_TOKEN)


def _size(text: str | None) -> int:
    return len((text or "").encode(errors="replace"))
