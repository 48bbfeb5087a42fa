"""What the model may use and how it is to answer: tools, forms, thinking, sampling."""

from typing import Literal

from msgspec import Struct

from slipstream.wire.talk.marks import CacheMark


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
    logit_bias: dict[str, float] = {}
    stop: tuple[str, ...] = ()
    logprobs: bool | None = None
    top_logprobs: int | None = None
