"""Reads requests of Gemini's own API as Gemini does: closed objects, turns that must alternate.

Models from `gemini-3` on demand the signatures of calls back; names that are no Gemini's do not.

Source: ../shared/reference/protocols.md, sections E and F; providers.md, section 4; 2026-11-21.
"""

import re
from itertools import groupby, takewhile
from typing import Any, Final, Literal
from urllib.parse import unquote

import msgspec

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.answer import count_words
from slipstream.upstream.scripted.flaws import Flaw, Flawed, decode_strictly
from slipstream.upstream.scripted.gemini_records import (
    Config,
    Content,
    Counted,
    Part,
    Request,
    System,
)
from slipstream.upstream.scripted.nouns import Ask, Tool
from slipstream.upstream.scripted.seals import open_seal

VENDOR: Final = "gemini"
STREAM: Final = ":streamGenerateContent"
_STAND_IN: Final = "skip_thought_signature_validator"
_OWN_FILES: Final = (
    "gs://",
    "https://generativelanguage.googleapis.com/",
    "https://www.youtube.com/",
    "https://youtu.be/",
)
_JSON: Final = "application/json"


_KINDS: Final = ("text", "inline_data", "file_data", "function_call", "function_response")
_MODEL: Final = re.compile(r"/models/([^/]+):[a-zA-Z]+\Z")
_decoder: Final = msgspec.json.Decoder(Request)
_count_decoder: Final = msgspec.json.Decoder(Counted)


def _refusal(message: str) -> BadRequest:
    return BadRequest(message)


def _model_of(path: str) -> str:
    found = _MODEL.search(path.partition("?")[0])
    if found is None:
        raise _refusal(f"{path} names no model: expected …/models/{{model}}:generateContent")
    return unquote(found[1])


def decode(path: str, body: bytes) -> Ask:
    """Read a request; its model and whether it streams stand in the path.

    Raises:
        BadRequest: Gemini would refuse it, in its words.
    """
    is_stream = STREAM in path
    if is_stream and "alt=sse" not in path.partition("?")[2]:
        raise _refusal("the scripted upstream streams with ?alt=sse only, not as a JSON array")
    try:
        said = decode_strictly(_decoder, body)
    except Flawed as exc:
        raise _worded(exc.flaw) from exc
    model = _model_of(path)
    name = model.partition("?")[0]
    config = said.generation_config or Config()
    _check_contents(said.contents)
    if _generation_of(name) >= 3:
        _check_signatures(said.contents)
    _check_config(config, name, has_tools=bool(said.tools))
    tools, choice = _read_tools(said)
    texts = [_text_of(content) for content in said.contents]
    spoken = [text for text, c in zip(texts, said.contents, strict=True) if c.role != "model"]
    system = _text_of(said.system_instruction) if said.system_instruction else ""
    thinking = config.thinking_config
    return Ask(
        model=model,
        text=spoken[-1],
        prompt_tokens=sum([count_words(text) for text in (system, *texts)]),
        is_stream=is_stream,
        max_tokens=config.max_output_tokens,
        stops=tuple(config.stop_sequences or ()),
        num_choices=config.candidate_count or 1,
        tools=tools,
        choice=choice,
        follows_tool=any(p.function_response is not None for p in said.contents[-1].parts),
        results=_results(said.contents),
        wants_object=config.response_mime_type == _JSON,
        schema=config.response_json_schema or config.response_schema,
        reasoning_fields=("thought",),
        has_thoughts=thinking is not None and bool(thinking.include_thoughts),
    )


def decode_count(path: str, body: bytes) -> Ask:
    """Read a request to count tokens.

    Raises:
        BadRequest: Gemini would refuse it.
    """
    try:
        said = decode_strictly(_count_decoder, body)
        if said.generate_content_request is not None:
            inner = dict(said.generate_content_request)
            inner.pop("model", None)
            whole = decode_strictly(_decoder, msgspec.json.encode(inner))
            texts = [_text_of(content) for content in whole.contents]
            texts += [_text_of(whole.system_instruction)] if whole.system_instruction else []
        else:
            texts = [_text_of(content) for content in said.contents or ()]
    except Flawed as exc:
        raise _worded(exc.flaw) from exc
    return Ask(model=_model_of(path), prompt_tokens=sum([count_words(text) for text in texts]))


def _worded(flaw: Flaw) -> BadRequest:
    at = flaw.path.rpartition(".")[0]
    if flaw.kind == "unknown":
        where = f" at '{at}'" if at else ""
        return _refusal(
            f'Invalid JSON payload received. Unknown name "{flaw.field}"{where}: Cannot find field.'
        )
    if flaw.kind == "missing":
        return _refusal(f"* GenerateContentRequest.{flaw.path}: is not specified")
    return _refusal(f"Invalid value at '{flaw.path}': {flaw.what}")


def _generation_of(model: str) -> int:
    found = re.match(r"gemini-(\d+)", model)
    return int(found[1]) if found else 0


def _text_of(content: Content | System) -> str:
    found = [part.text for part in content.parts if part.text and not part.thought]
    results = [part.function_response for part in content.parts if part.function_response]
    found += [str(value) for result in results for value in result.response.values()]
    return "\n".join(found)


def _results(contents: list[Content]) -> tuple[str, ...]:
    """Return what functions returned since the model spoke last."""
    since = list(takewhile(lambda content: content.role != "model", reversed(contents)))[::-1]
    parts = [part for content in since for part in content.parts if part.function_response]
    return tuple(_text_of(Content([part])) for part in parts)


def _check_contents(contents: list[Content]) -> None:
    for at, content in enumerate(contents):
        if not content.parts:
            raise _refusal(f"* GenerateContentRequest.contents[{at}].parts: contents is not empty")
        for number, part in enumerate(content.parts):
            _check_part(part, f"contents[{at}].parts[{number}]")
    if contents[0].role == "model":
        raise _refusal("Please ensure that multiturn requests start with a user turn.")
    turns = [
        [part for content in group for part in content.parts]
        for _, group in groupby(contents, lambda content: content.role or "user")
    ]
    for before, after in zip([[], *turns], [*turns, []], strict=True):
        _check_pair(before, after)


def _check_part(part: Part, where: str) -> None:
    held = [name for name in _KINDS if getattr(part, name) is not None]
    if len(held) != 1:
        raise _refusal(
            f"* GenerateContentRequest.{where}.data: required oneof field 'data' must have one "
            "initialized field"
        )
    signature = part.thought_signature
    if signature is not None and signature != _STAND_IN and open_seal(VENDOR, signature) is None:
        raise _refusal(f"Corrupted thought signature at {where}.")
    if part.file_data is not None and not part.file_data.file_uri.startswith(_OWN_FILES):
        raise _refusal(f"Unsupported file uri: {part.file_data.file_uri}")


def _check_pair(before: list[Part], after: list[Part]) -> None:
    called = [part.function_call.name for part in before if part.function_call is not None]
    answered = [p.function_response.name for p in after if p.function_response is not None]
    if len(called) != len(answered):
        raise _refusal(
            "Please ensure that the number of function response parts is equal to the number of "
            "function call parts of the function call turn."
        )
    if called != answered:
        raise _refusal(
            f"The function responses {answered} are not those of the calls before, {called}."
        )


def _check_signatures(contents: list[Content]) -> None:
    """Check that each step since the user spoke last has the signature of its first call."""
    starts = [
        at
        for at, content in enumerate(contents)
        if content.role != "model" and any(part.text is not None for part in content.parts)
    ]
    for at, content in enumerate(contents):
        if at < (starts[-1] if starts else 0) or content.role != "model":
            continue
        calls = [part for part in content.parts if part.function_call is not None]
        if calls and calls[0].thought_signature is None:
            assert calls[0].function_call is not None
            raise _refusal(
                "Function call is missing a thought_signature in functionCall parts. This is "
                "required for tools to work correctly. Function call "
                f"`{calls[0].function_call.name}`, position {at + 1}."
            )


def _check_config(config: Config, model: str, *, has_tools: bool) -> None:
    has_schema = config.response_schema is not None or config.response_json_schema is not None
    if has_schema and config.response_mime_type != _JSON:
        raise _refusal(f"response_json_schema needs response_mime_type to be {_JSON}")
    is_old = 0 < _generation_of(model) < 3
    if is_old and has_tools and config.response_mime_type == _JSON:
        raise _refusal(f"Function calling with a response mime type: '{_JSON}' is unsupported")
    thinking = config.thinking_config
    if thinking is None:
        return
    if thinking.thinking_level is not None and thinking.thinking_budget is not None:
        raise _refusal("You can only set only one of thinking budget and thinking level.")
    if is_old and thinking.thinking_level is not None:
        raise _refusal("Thinking level is not supported for this model.")


def _read_tools(
    said: Request,
) -> tuple[tuple[Tool, ...], Literal["auto", "none", "required", "named"]]:
    offered = [one for tool in said.tools or () for one in tool.function_declarations or ()]
    for function in offered:
        if function.parameters is not None and function.parameters_json_schema is not None:
            raise _refusal("parameters and parameters_json_schema exclude each other")
    found = tuple(
        Tool(f.name, f.parameters_json_schema or _lowered(f.parameters or {"type": "object"}))
        for f in offered
    )
    calling = said.tool_config.function_calling_config if said.tool_config else None
    names = (calling.allowed_function_names or []) if calling else []
    if calling is None or not found:
        return found, "auto" if found else "none"
    if names and calling.mode not in ("ANY", "VALIDATED"):
        raise _refusal("allowed_function_names should be set only when the mode is ANY.")
    unknown = [name for name in names if name not in {tool.name for tool in found}]
    if unknown:
        raise _refusal(f"allowed_function_names: {unknown[0]} is not declared")
    if calling.mode == "ANY":
        return tuple(t for t in found if not names or t.name in names), "required"
    return found, "none" if calling.mode == "NONE" else "auto"


def _lowered(schema: Any) -> Any:
    """Return a schema with the names of types as JSON Schema has them."""
    if isinstance(schema, list):
        return [_lowered(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.lower() if name == "type" and isinstance(value, str) else _lowered(value)
        for name, value in schema.items()
    }
