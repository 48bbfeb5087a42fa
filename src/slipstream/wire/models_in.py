"""Lists of models as providers give them: OpenAI's shape, Anthropic's and Gemini's, page by page.

Told apart by what they hold, not by who sends them. What is odd about one model costs that field.

Source: openai-python 3.52.0, anthropic-python 2.11.0 and google-genai 3.4.0; 2026-11-21.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Struct

from slipstream.errors import Broken
from slipstream.wire.invalid import UNREADABLE

_GEMINI_PREFIX: Final = "models/"
_RETIRED: Final = "retired"
# What a client may ask of a model through us, as Gemini names it.
_METHODS: Final = frozenset({"generateContent", "embedContent", "batchEmbedContents"})


class ModelEntry(NamedTuple):
    """What a provider's list of models says of one, as far as we repeat it."""

    id: str
    created: int | None = None
    owned_by: str | None = None


class Page(NamedTuple):
    """A part of a list.

    Args:
        after: The query parameter that asks for what follows; None after the last part.
    """

    entries: list[ModelEntry]
    after: str | None


class _Model(Struct):
    id: str | None = None
    name: str | None = None
    created: Any = None
    created_at: Any = None
    owned_by: Any = None
    lifecycle: Any = None
    methods: list[str] | None = msgspec.field(default=None, name="supportedGenerationMethods")


class _List(Struct):
    data: list[_Model] | None = None
    models: list[_Model] | None = None
    has_more: bool | None = None
    last_id: str | None = None
    next_page: str | None = msgspec.field(default=None, name="nextPageToken")


_decoder: Final = msgspec.json.Decoder(_List | list[_Model])


def read_models(body: bytes) -> Page:
    """Return the models of one page, without those that nobody can ask any more.

    Raises:
        Broken: It is no list of models.
    """
    try:
        said = _decoder.decode(body)
    except UNREADABLE as exc:
        raise Broken(f"the list of models cannot be read: {exc}") from exc
    if isinstance(said, list):
        said = _List(data=said)
    models = said.data if said.data is not None else said.models
    if models is None:
        raise Broken("the list of models is in no shape that is known: no 'data', no 'models'")
    found = [_entry(model) for model in models if _is_offered(model)]
    return Page([entry for entry in found if entry.id], _after(said))


def _is_offered(model: _Model) -> bool:
    return model.lifecycle != _RETIRED and (
        model.methods is None or not _METHODS.isdisjoint(model.methods)
    )


def _entry(model: _Model) -> ModelEntry:
    name = model.id or model.name or ""
    owner = model.owned_by if isinstance(model.owned_by, str) else None
    return ModelEntry(name.removeprefix(_GEMINI_PREFIX), _created_s(model), owner)


def _created_s(model: _Model) -> int | None:
    if isinstance(model.created, int | float):
        return int(model.created)
    if not isinstance(model.created_at, str):
        return None
    try:
        return int(datetime.fromisoformat(model.created_at).timestamp())
    except (ValueError, OverflowError):
        return None


def _after(said: _List) -> str | None:
    if said.next_page:
        return f"pageToken={quote(said.next_page, safe='')}"
    if said.has_more and said.last_id:
        return f"after_id={quote(said.last_id, safe='')}"
    return None
