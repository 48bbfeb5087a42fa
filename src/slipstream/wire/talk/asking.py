"""A request in no dialect's words.

    body ── a dialect's reader ──▶ Asked ── a dialect's writer ──▶ Written(body, changes)

A reader keeps all that its dialect can say; a writer says what its dialect can, translates what has
another name there, and for the rest either names it among the changes, where leaving it out changes
nothing that the client would miss, or refuses it by the name that the client wrote.

What only one vendor understands is sealed: it goes back to the vendor that made it, word for word,
and to no other.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice

# ---- parts of messages ---------------------------------------------------------------------------


class Seal(Struct, frozen=True, kw_only=True):
    """Something that a vendor gave out to be handed back to it unread.

    Args:
        vendor: Whose it is: the name of a provider's row, such as `anthropic`, `openai`, `gemini`.
        kind: What it is there: `signature`, `redacted`, `encrypted_content`, `thought_signature`,
            `reasoning_details`.
        data: Word for word; JSON text where it is no string.
        item_id: The id of the item that it belongs to, where the vendor wants that back, too.
    """

    vendor: str
    kind: str
    data: str
    item_id: str | None = None


class Text(Struct, frozen=True, tag="text"):
    """Plain text.

    Args:
        citations: Of an answer that is being sent back: each a JSON object of the dialect that
            made it.
    """

    text: str
    cache: CacheMark | None = None
    citations: tuple[str, ...] = ()


class Image(Struct, frozen=True, tag="image", kw_only=True):
    """A picture, by its address or by its bytes; exactly one of `url`, `data` and `file_id` is set.

    Args:
        data: Base64.
        media_type: Of `data`, such as `image/png`.
        detail: OpenAI's `low`, `high`, `auto`, `original`.
    """

    url: str | None = None
    data: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache: CacheMark | None = None


class Document(Struct, frozen=True, tag="document", kw_only=True):
    """A file to be read, such as a PDF; exactly one of `url`, `data`, `text`, `file_id` is set.

    Args:
        data: Base64.
        cites: The answer is to cite it.
    """

    url: str | None = None
    data: str | None = None
    text: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    title: str | None = None
    context: str | None = None
    cites: bool = False
    cache: CacheMark | None = None


class Audio(Struct, frozen=True, tag="audio"):
    """Sound, as base64; the format is OpenAI's `wav` or `mp3`."""

    data: str
    format: str


class Reasoning(Struct, frozen=True, tag="reasoning", kw_only=True):
    """What the model thought before it answered, sent back as the client got it.

    Args:
        text: Empty where the vendor showed nothing.
        is_summary: The text is the vendor's summary of it.
    """

    text: str = ""
    is_summary: bool = False
    seals: tuple[Seal, ...] = ()


class ToolCall(Struct, frozen=True, tag="call", kw_only=True):
    """A call that the model made.

    Args:
        arguments: JSON text of an object; of a custom tool, the text that it takes.
        is_custom: It is of a tool that takes text.
        seals: Such as Gemini's thought signature.
    """

    call_id: str
    name: str
    arguments: str
    is_custom: bool = False
    seals: tuple[Seal, ...] = ()
    cache: CacheMark | None = None


class ToolResult(Struct, frozen=True, tag="result", kw_only=True):
    """What came of a call.

    Args:
        name: Of the tool, where the client says it; writers that need it look the call up.
    """

    call_id: str
    parts: "tuple[Text | Image | Document, ...]" = ()
    is_error: bool = False
    name: str | None = None
    is_custom: bool = False
    cache: CacheMark | None = None


class Refusal(Struct, frozen=True, tag="refusal"):
    """The model would not answer, and said so."""

    text: str


Part = Text | Image | Document | Audio | Reasoning | ToolCall | ToolResult | Refusal
Role = Literal["system", "user", "assistant", "tool"]


class Turn(Struct, frozen=True):
    """One message.

    Results of tools stand in turns of role `tool`, each holding the results of neighbours; a
    developer's message is a system's. A leading system turn is one turn, however it was said.

    Args:
        name: Of who speaks, where the client says it.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """A whole request.

    Args:
        dialect: In whose words the client wrote it; a `call.Dialect` value.
        model: The public name; writers say the target's own.
        max_tokens: Of the answer, reasoning included.
        prediction: What the answer is expected to be.
        cache_key: Parts the vendor's prompt cache.
        user: Who asks, as the client's caller knows it.
        service_tier: `auto`, `default`, `flex`, `priority`, or the vendor's word.
        metadata: As the client wrote it.
        extras: Fields of the body that have no place here, by name, as JSON text: for a target
            of the same dialect; other writers name them among the changes.
    """

    dialect: str
    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    hosted_tools: tuple[HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    is_parallel: bool | None = None
    form: Form | None = None
    thinking: Thinking | None = None
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    num_choices: int = 1
    is_stream: bool = False
    wants_usage: bool = False
    prediction: str | None = None
    cache_key: str | None = None
    user: str | None = None
    service_tier: str | None = None
    metadata: dict[str, str] | None = None
    verbosity: str | None = None
    extras: dict[str, msgspec.Raw] = {}


class Written(Struct, frozen=True):
    """A request in a dialect's words.

    Args:
        changes: What of it the target gets otherwise, each the field's name as the client wrote
            it, or `name -> other name`; for the header `x-slipstream-changed`.
    """

    body: bytes
    changes: tuple[str, ...] = ()


class Target(Struct, frozen=True, kw_only=True):
    """What a writer must know of who gets the request: data of the provider's and model's rows.

    Args:
        vendor: The name of the provider's row: whose seals it understands.
        model: The id that it knows.
        max_output_tokens: For dialects in which a limit must be said; None where unknown.
        efforts: That its reasoning control takes; empty where unknown: then all that the dialect
            has.
        is_adaptive_only: It takes no budget of thinking tokens, only an effort.
        refuses: Fields, by the dialect's own names, that this model answers with an error; they
            are left out and named.
    """

    vendor: str
    model: str
    max_output_tokens: int | None = None
    efforts: tuple[str, ...] = ()
    is_adaptive_only: bool = False
    refuses: frozenset[str] = frozenset()
