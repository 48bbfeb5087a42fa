"""What requests look like, for the OpenAPI document: made from the records that read them.

A reader takes some fields apart later, or has some only to refuse them: the records here are copies
of its own, in which the first have their types and the second are left out.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from slipstream.batches.records import CHAT_ENDPOINT, WINDOWS_S
from slipstream.server import batches, upload_form
from slipstream.wire import (
    chat_forms,
    chat_messages,
    chat_request,
    chat_tools,
    completions_request,
    embeddings,
    openai_chat,
)
from slipstream.wire.cerebras import body as cerebras_body
from slipstream.wire.cerebras import completions_request as cerebras_completions

_Texts = Annotated[
    Any,
    Meta(
        description="A text, several, the token ids of one text, or those of several.",
        extra_json_schema={
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                {
                    "type": "array",
                    "items": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "minItems": 1,
                },
            ]
        },
    ),
]
_Schema = Annotated[dict[str, Any], Meta(description="A JSON Schema.")]


def _shown(
    name: str,
    doc: str,
    *records: type[Struct],
    closed: bool = False,
    needed: tuple[str, ...] = (),
    **types: Any,
) -> type[Struct]:
    """Return a record with the fields of others.

    Args:
        closed: Unknown fields are refused.
        needed: Fields whose absence the reader refuses later.
        types: What to say instead of a field's own type; None leaves the field out.
    """
    told: dict[str, tuple[str, Any] | tuple[str, Any, Any]] = {}
    for field in (each for record in records for each in msgspec.structs.fields(record)):
        hint = types.get(field.name, field.type)
        if hint is None or hint is Any:
            continue
        if field.required or field.name in needed:
            told[field.name] = (field.name, hint)
        elif isinstance(field.default, msgspec.Raw):
            told[field.name] = (field.name, hint | UnsetType, UNSET)
        else:
            told[field.name] = (field.name, hint, field.default)
    return msgspec.defstruct(
        name,
        list(told.values()),
        namespace={"__doc__": doc},
        module=__name__,
        kw_only=True,
        forbid_unknown_fields=closed,
    )


def _one_of(*words: str) -> Any:
    return Annotated[str, Meta(extra_json_schema={"enum": list(words)})]


# ---- OpenAI's chat ------------------------------------------------------------------------------

_StreamOptions = _shown("StreamOptions", "What a stream tells.", openai_chat._StreamOptions)
_Part = _shown("RequestPart", "A part of a message.", chat_messages._Part)
_CalledFunction = _shown("RequestCalledFunction", "Arguments are JSON.", chat_messages._Function)
_Call: Any = _shown(
    "RequestToolCall",
    "A call that the model made before.",
    chat_messages._Call,
    needed=("function",),
    type=Literal["function"],
    function=_CalledFunction,
)
_Message: Any = _shown(
    "RequestMessage",
    "A turn of the conversation. A call is answered right behind the message that made it.",
    chat_messages._Message,
    role=Literal["system", "developer", "user", "assistant", "tool"],
    content=str | list[_Part] | None,  # type: ignore[valid-type]
    tool_calls=list[_Call] | None,
)
_Function: Any = _shown(
    "RequestFunction",
    "A function that may be called.",
    chat_tools._Function,
    parameters=_Schema | None,
)
_Tool: Any = _shown(
    "RequestTool",
    "Something that the model may call.",
    chat_tools._Tool,
    needed=("function",),
    type=Literal["function"],
    function=_Function,
)
_FunctionName: Any = _shown("RequestFunctionName", "One of the tools.", chat_tools._Named)
_AllowedTool: Any = _shown(
    "RequestAllowedTool",
    "One of the tools.",
    chat_tools._AllowedTool,
    needed=("function",),
    type=Literal["function"],
    function=_FunctionName,
)
_Allowed: Any = _shown(
    "RequestAllowedTools",
    "The tools that the model may see.",
    chat_tools._Allowed,
    mode=Literal["auto", "required"],
    tools=list[_AllowedTool],
)
_Choice: Any = _shown(
    "RequestToolChoice",
    "One tool that must be called, or those that may be.",
    chat_tools._Choice,
    type=Literal["function", "allowed_tools"],
    function=_FunctionName | None,
    allowed_tools=_Allowed | None,
)
_JsonSchema: Any = _shown(
    "RequestJsonSchema",
    "A form with a name.",
    chat_forms._Schema,
    needed=("schema",),
    schema=_Schema,
)
_Format: Any = _shown(
    "RequestFormat",
    "The form of the answer, as OpenAI asks for it.",
    chat_forms._Format,
    type=Literal["text", "json_object", "json_schema"],
    json_schema=_JsonSchema | None,
)
_Structured: Any = _shown(
    "RequestStructuredOutputs",
    "The form of the answer, as vLLM asks for it: one of the fields.",
    chat_forms._Structured,
    json=_Schema | str,
)
_Prediction: Any = _shown(
    "RequestPrediction",
    "What much of the answer will probably be.",
    chat_request._Prediction,
    type=Literal["content"],
    content=str | list[_Part],  # type: ignore[valid-type]
)

# ---- whole bodies -------------------------------------------------------------------------------

ChatRequest: Final = _shown(
    "ChatRequest",
    "Of OpenAI's API. A field that is not named here changes nothing in an answer of a model that "
    "Slipstream runs, and is relayed to a provider.",
    openai_chat._Request,
    chat_request._Body,
    messages=Annotated[list[_Message], Meta(min_length=1)],
    stream_options=_StreamOptions | None,
    response_format=_Format | None,
    structured_outputs=_Structured | None,
    tools=list[_Tool] | None,
    tool_choice=Literal["none", "auto", "required"] | _Choice | None,
    prediction=_Prediction | None,
)
CompletionRequest: Final = _shown(
    "CompletionRequest",
    "Of OpenAI's API; other fields are refused.",
    completions_request._Body,
    closed=True,
    prompt=_Texts,
    stream_options=_StreamOptions | None,
    suffix=None,
)
EmbeddingsRequest: Final = _shown(
    "EmbeddingsRequest",
    "Of OpenAI's API. A field that is not named here is relayed to a provider, and refused for a "
    "model that Slipstream runs.",
    embeddings._Body,
    input=_Texts,
    encoding_format=Literal["float", "base64"] | None,
    stream=None,
)
CerebrasChatRequest: Final = _shown(
    "ChatRequest",
    "Of the Cerebras profile: what is not named here is refused, at every level.",
    cerebras_body.Body,
    tool_choice=Literal["none", "auto", "required"] | cerebras_body.Named | None,
)
CerebrasCompletionRequest: Final = _shown(
    "CompletionRequest",
    "Of the Cerebras profile: what is not named here is refused, at every level.",
    cerebras_completions.CompletionsBody,
    prompt=_Texts,
)
_Life: Any = _shown(
    "OutputLife",
    "How long what a batch writes is kept.",
    batches._Life,
    anchor=Literal["created_at"],
    seconds=Annotated[int, Meta(ge=upload_form.LEAST_LIFE_S, le=upload_form.LONGEST_LIFE_S)],
)
BatchRequest: Final = _shown(
    "BatchRequest",
    "What to run, from which file; other fields are refused.",
    batches._Asked,
    closed=True,
    endpoint=_one_of(CHAT_ENDPOINT),
    completion_window=_one_of(*WINDOWS_S),
    output_expires_after=_Life | None,
)
