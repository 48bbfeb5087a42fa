"""Reads requests of OpenAI chat completions, and refuses what a real provider refuses.

Types, ranges, unknown tools and options that exclude each other are checked. Fields that it does
not know are accepted and ignored, as extensions of other providers.
"""

import re
from itertools import takewhile
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.answer import count_words
from slipstream.upstream.scripted.nouns import Ask, Schema, Tool


class _Part(Struct):
    type: str
    text: str = ""


class _Message(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        """The text of its parts."""
        if isinstance(self.content, list):
            return "\n".join([part.text for part in self.content if part.text])
        return self.content or ""


class _Function(Struct):
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
    parameters: dict[str, Any] | None = None


class _Named(Struct):
    name: str


class _Tool(Struct):
    type: Literal["function", "custom"]
    function: _Function | None = None
    custom: _Named | None = None

    @property
    def offered(self) -> _Function | _Named:
        """What stands under the name of its type."""
        found = self.function if self.type == "function" else self.custom
        if found is None:
            raise BadRequest(f"Missing required parameter: 'tools.{self.type}'.", param="tools")
        return found


class _Choice(Struct):
    type: Literal["function", "custom"]
    function: _Named | None = None
    custom: _Named | None = None


class _JsonSchema(Struct):
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    schema: dict[str, Any] | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


_Count = Annotated[int, Meta(ge=1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Stop = Annotated[str, Meta(min_length=1)]
ToolChoice = Literal["auto", "none", "required"]


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    stop: _Stop | Annotated[list[_Stop], Meta(max_length=4)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    seed: int | None = None
    tools: Annotated[list[_Tool], Meta(max_length=128)] | None = None
    tool_choice: ToolChoice | _Choice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Format | None = None


_OF_TOOLS: Final = ("tool", "function")
_NO_PARAMETERS: Final[Schema] = {"type": "object"}
_decoder: Final = msgspec.json.Decoder(_Request)
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<at>.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"required field `(\w+)`")


def decode(path: str, body: bytes) -> Ask:
    """Read a request body.

    Raises:
        BadRequest: A real provider would refuse it; names the field.
    """
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise _invalid(str(exc)) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise BadRequest(f"the body is not JSON: {exc}", code="invalid_json") from exc
    options, form, stop = request.stream_options, request.response_format, request.stop
    if options is not None and not request.stream:
        raise BadRequest("stream_options needs stream: true", param="stream_options")
    text, prompt_tokens = _read_messages(request.messages)
    tools, choice = _read_tools(request.tools or [], request.tool_choice)
    wants_object, schema = (False, None) if form is None else _read_format(form)
    return Ask(
        model=request.model,
        text=text,
        prompt_tokens=prompt_tokens,
        is_stream=bool(request.stream),
        wants_usage=options is not None and bool(options.include_usage),
        max_tokens=_read_limit(request.max_tokens, request.max_completion_tokens),
        stops=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        num_choices=request.n or 1,
        tools=tools,
        choice=choice,
        can_call_many=request.parallel_tool_calls is not False,
        follows_tool=request.messages[-1].role in _OF_TOOLS,
        results=_read_results(request.messages),
        wants_object=wants_object,
        schema=schema,
    )


def _read_messages(messages: list[_Message]) -> tuple[str, int]:
    """Return the text of the last user message, or of the last one, and the words of all."""
    said: str | None = None
    text, num_words = "", 0
    for message in messages:
        text = message.text
        num_words += count_words(text)
        if message.role == "user":
            said = text
    return text if said is None else said, num_words


def _read_results(messages: list[_Message]) -> tuple[str, ...]:
    """Return what tools returned since the assistant spoke last."""
    since = takewhile(lambda message: message.role != "assistant", reversed(messages))
    return tuple([message.text for message in since if message.role in _OF_TOOLS][::-1])


def _read_limit(old: int | None, new: int | None) -> int | None:
    if old is not None and new is not None:
        raise BadRequest(
            "max_tokens and max_completion_tokens exclude each other", param="max_tokens"
        )
    return old if new is None else new


def _read_tools(
    tools: list[_Tool], choice: ToolChoice | _Choice | None
) -> tuple[tuple[Tool, ...], Literal["auto", "none", "required", "named"]]:
    if not tools:
        if choice is not None and choice != "none":
            raise BadRequest("tool_choice needs tools", param="tool_choice")
        return (), "none"
    found = tuple([_read_tool(tool) for tool in tools])
    if not isinstance(choice, _Choice):
        return found, choice or "auto"
    said = choice.function or choice.custom
    if said is None:
        raise BadRequest("tool_choice must name a tool", param="tool_choice")
    name = said.name
    chosen = tuple(tool for tool in found if tool.name == name)
    if not chosen:
        known = ", ".join(tool.name for tool in found)
        raise BadRequest(
            f"tool_choice names the unknown tool {name!r}; tools has {known}", param="tool_choice"
        )
    return chosen, "named"


def _read_tool(tool: _Tool) -> Tool:
    offered = tool.offered
    if isinstance(offered, _Function):
        return Tool(offered.name, offered.parameters or _NO_PARAMETERS)
    return Tool(offered.name, _NO_PARAMETERS, is_custom=True)


def _read_format(form: _Format) -> tuple[bool, Schema | None]:
    """Return whether any JSON object is wanted, and the schema if one is given."""
    if (form.type == "json_schema") != (form.json_schema is not None):
        raise BadRequest(
            "json_schema goes with type json_schema, and only with it", param="response_format"
        )
    if form.json_schema is None:
        return form.type == "json_object", None
    return False, form.json_schema.schema or _NO_PARAMETERS


def _invalid(message: str) -> BadRequest:
    """Turn what msgspec says into OpenAI's words: the path of the field goes into `param`."""
    found = _AT.match(message)
    what, at = (found["what"], found["at"]) if found else (message, None)
    missing = _MISSING.search(message)
    param = ".".join(filter(None, (at, missing and missing[1]))) or None
    code = "missing_required_parameter" if missing else "invalid_value"
    where = f"'{param}': " if param else ""
    return BadRequest(f"{where}{what[:1].lower()}{what[1:]}", param=param, code=code)
