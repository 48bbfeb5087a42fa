"""What an answer must look like, as a chat request says it: OpenAI's way, or vLLM's.

`response_format` is OpenAI's. `structured_outputs`, in the SDK's `extra_body`, is vLLM's since its
version 0.12 and adds what OpenAI's has not: a regular expression, a grammar, one of some texts.

Source: platform documentation and openai-python 3.52.0's types; docs.vllm.ai, Structured Outputs;
2026-11-21.
"""

import re
from typing import Final, Literal

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.refusals import decode_at, invalid, is_object, missing, not_among, not_together

_NOTHING: Final = msgspec.Raw()
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MAX_CHOICES: Final = 1_000
_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")  # to Rust's regular expressions
_FORMAT_TYPES: Final = ("text", "json_object", "json_schema")
_FIELDS: Final = ("json", "regex", "choice", "grammar", "json_object")


class ChatForm(msgspec.Struct, frozen=True):
    """A form that the answer must have.

    Args:
        source: A JSON Schema, a regular expression or a grammar (llguidance's dialect of Lark).
        is_strict: Keywords of the schema that cannot be enforced are refused, not ignored.
        param: The field that it came from.
    """

    kind: Literal["json_schema", "json_object", "regex", "lark"]
    source: str = ""
    is_strict: bool = True
    param: str = "response_format"


class _Schema(msgspec.Struct):
    name: str
    schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None


class _Structured(msgspec.Struct):
    json: msgspec.Raw = _NOTHING
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None


_format_decoder: Final = msgspec.json.Decoder(_Format | None)
_structured_decoder: Final = msgspec.json.Decoder(_Structured | None)
_text_decoder: Final = msgspec.json.Decoder(str)


def read_form(response_format: msgspec.Raw, structured_outputs: msgspec.Raw) -> ChatForm | None:
    """Read both fields; each is empty where it is not given.

    Raises:
        BadRequest: It names the field; both were given; or more than one form.
        DecodeError: As `refusals.decode_at`.
    """
    formed = _read_format(response_format) if response_format else None
    structured = _read_structured(structured_outputs) if structured_outputs else None
    if formed is not None and structured is not None:
        raise not_together("response_format", "structured_outputs")
    return formed or structured


def _read_format(raw: msgspec.Raw) -> ChatForm | None:
    said = decode_at(_format_decoder, raw, "response_format")
    if said is None or said.type == "text":
        return None
    if said.type not in _FORMAT_TYPES:
        raise not_among("response_format.type", said.type, _FORMAT_TYPES)
    if said.type == "json_object":
        return ChatForm("json_object")
    where, asked = "response_format.json_schema", said.json_schema
    if asked is None:
        raise missing(where)
    if not _NAME.fullmatch(asked.name):
        raise invalid(f"{where}.name", "expected 1 to 64 letters, digits, underscores and dashes")
    if not bytes(asked.schema):
        raise missing(f"{where}.schema")
    return _schema_form(asked.schema, f"{where}.schema", is_strict=bool(asked.strict))


def _schema_form(raw: msgspec.Raw, param: str, *, is_strict: bool) -> ChatForm:
    if not is_object(raw):
        raise invalid(param, "expected a JSON Schema, which is an object")
    return ChatForm("json_schema", bytes(raw).decode(), is_strict, param)


def _read_structured(raw: msgspec.Raw) -> ChatForm | None:
    said = decode_at(_structured_decoder, raw, "structured_outputs")
    if said is None:
        return None
    given = [name for name in _FIELDS if _is_given(getattr(said, name))]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise invalid("structured_outputs", f"expected one of {', '.join(_FIELDS)}, got {got}")
    param = f"structured_outputs.{given[0]}"
    if said.regex is not None:
        return ChatForm("regex", said.regex, param=param)
    if said.grammar is not None:
        return ChatForm("lark", said.grammar, param=param)
    if said.choice is not None:
        return ChatForm("regex", _any_of(said.choice, param), param=param)
    if said.json_object:
        return ChatForm("json_object", param=param)
    return _schema_form(_unquoted(said.json), param, is_strict=True)


def _is_given(value: object) -> bool:
    if isinstance(value, msgspec.Raw):
        return bytes(value) not in (b"", b"null")
    return value is not None and value is not False


def _unquoted(raw: msgspec.Raw) -> msgspec.Raw:
    """Return a schema that may be given as a string of JSON, as vLLM allows."""
    if bytes(memoryview(raw)[:1]) != b'"':
        return raw
    text = _text_decoder.decode(raw).strip()
    try:
        return msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError as exc:
        raise BadRequest(
            f"Invalid value for 'structured_outputs.json': it is not valid JSON: {exc}.",
            param="structured_outputs.json",
            code="invalid_value",
        ) from exc


def _any_of(texts: list[str], param: str) -> str:
    if not 0 < len(texts) <= _MAX_CHOICES or not all(texts):
        raise invalid(param, f"expected 1 to {_MAX_CHOICES} texts, none of them empty")
    return "|".join(_SPECIAL.sub(r"\\\g<0>", text) for text in texts)
