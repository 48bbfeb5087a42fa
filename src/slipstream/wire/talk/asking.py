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

# ---- parts of messages ---------------------------------------------------------------------------


class CacheMark(Struct, frozen=True):
    """The prefix up to here is worth keeping: Anthropic's `cache_control` and what is like it.

    Args:
        ttl: As the client wrote it, such as `5m`, `1h`, `30m`; None for the vendor's own.
    """

    ttl: str | None = None


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


# ---- what the model may use ----------------------------------------------------------------------


class Tool(Struct, frozen=True, kw_only=True):
    """A function that the caller offers.

    Args:
        schema: JSON text of the schema of its arguments; None where nothing is said of them.
        strict: None where the client says nothing.
        custom_format: Of a tool that takes text: JSON text of OpenAI's `format`; empty for any
            text; None for a function.
    """

    name: str
    description: str | None = None
    schema: str | None = None
    strict: bool | None = None
    custom_format: str | None = None
    cache: CacheMark | None = None


class HostedTool(Struct, frozen=True):
    """A tool that a vendor runs itself, such as its web search; others cannot offer it.

    Args:
        kind: Its `type`.
        raw: JSON text, word for word.
        dialect: In whose words.
    """

    kind: str
    raw: str
    dialect: str


class ToolChoice(Struct, frozen=True):
    """What the model must do with the tools.

    Args:
        names: With `named`, the one; with `allowed`, those that it may use.
        must_call: With `allowed`, whether it must use one.
    """

    mode: Literal["auto", "none", "required", "named", "allowed"] = "auto"
    names: tuple[str, ...] = ()
    must_call: bool = False


class Form(Struct, frozen=True, kw_only=True):
    """What the answer must look like.

    Args:
        schema: JSON text.
    """

    kind: Literal["json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: str | None = None
    strict: bool | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    """How much the model is to think, in whichever way the client said it.

    Args:
        effort: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.
        budget_tokens: The most that it may think.
        is_adaptive: The model decides for itself (Anthropic's `adaptive`).
        shows: Whether the client wants to see it: `none`, `summary`, `detailed`, `auto`.
    """

    effort: str | None = None
    budget_tokens: int | None = None
    is_adaptive: bool = False
    shows: str | None = None


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are chosen; None and empty where the client says nothing."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] = {}  # noqa: RUF012 - msgspec copies it
    stop: tuple[str, ...] = ()
    logprobs: bool | None = None
    top_logprobs: int | None = None


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
    extras: dict[str, msgspec.Raw] = {}  # noqa: RUF012 - msgspec copies it


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
