"""What a request of Gemini's own API may hold, as closed records.

Source: ../shared/reference/protocols.md, section F; google-genai 3.4.0's types; 2026-11-21.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct


class Closed(Struct, forbid_unknown_fields=True, rename="camel"):
    """A record of which no more is known."""


class Blob(Closed):
    """Bytes of a medium, as base64."""

    mime_type: str
    data: str


class File(Closed):
    """A medium by its address."""

    file_uri: str
    mime_type: str | None = None


class Call(Closed):
    """A call of a function."""

    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class Result(Closed):
    """What came of a call."""

    name: str
    response: dict[str, Any]
    id: str | None = None
    parts: list[dict[str, Any]] | None = None


class Part(Closed):
    """One of the kinds of content, and what is said of it."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: File | None = None
    function_call: Call | None = None
    function_response: Result | None = None


class Content(Closed):
    """What one side says."""

    parts: list[Part]
    role: Literal["user", "model"] | None = None


class System(Closed):
    """What the model is told first."""

    parts: list[Part]
    role: str | None = None


class Function(Closed):
    """A function that may be called."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}\Z")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    behavior: str | None = None


class Declared(Closed):
    """What the model may use."""

    function_declarations: list[Function] | None = None
    google_search: dict[str, Any] | None = None
    code_execution: dict[str, Any] | None = None
    url_context: dict[str, Any] | None = None


class Calling(Closed):
    """Whether functions must be called."""

    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"] | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(Closed):
    """How tools are to be used."""

    function_calling_config: Calling | None = None


class Thinking(Closed):
    """How much is to be thought."""

    include_thoughts: bool | None = None
    thinking_level: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    thinking_budget: Annotated[int, Meta(ge=-1)] | None = None


class Config(Closed):
    """How the answer is to be made."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: int | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=5)] | None = None
    candidate_count: Annotated[int, Meta(ge=1, le=8)] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_mime_type: Literal["text/plain", "application/json"] | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    thinking_config: Thinking | None = None
    media_resolution: str | None = None
    response_modalities: list[str] | None = None


class Request(Closed):
    """A request for an answer."""

    contents: Annotated[list[Content], Meta(min_length=1)]
    system_instruction: System | None = None
    tools: list[Declared] | None = None
    tool_config: ToolConfig | None = None
    safety_settings: list[dict[str, Any]] | None = None
    generation_config: Config | None = None
    cached_content: str | None = None
    service_tier: Literal["flex", "standard", "priority"] | None = None


class Counted(Closed):
    """A request to count tokens."""

    contents: list[Content] | None = None
    generate_content_request: dict[str, Any] | None = None
