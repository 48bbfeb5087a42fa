"""A JSON body that is being changed: decided on values, written with all other bytes as they were.

What is looked at is a decoded copy, `said`. Writing copies each value that was not touched from the
client's bytes, so that its numbers, escapes and order of keys stay.
"""

import re
from typing import Any, Final, get_args

import msgspec

from slipstream.errors import Unsupported
from slipstream.wire.invalid import UNREADABLE, explain

MAX_WORDS: Final = 16  # of changes by name; a header has no room for a thousand
_MAX_WORD_CHARS: Final = 120
_STRANGE: Final = re.compile(r"[^\w.$ >{}/-]", re.ASCII)  # names of keys are the client's

Step = str | int
Path = tuple[Step, ...]
_Touched = dict[Step, Any]  # to more of them; None where the value itself is new

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_fields_of: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items_of: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Draft:
    """A request's body with what was changed of it so far.

    Args:
        body: A JSON object.

    Raises:
        BadRequest: It is none.
    """

    __slots__ = ("_body", "_num_unnamed", "_touched", "_words", "said")

    def __init__(self, body: bytes) -> None:
        try:
            self.said: Final = _decode(body)
        except UNREADABLE as exc:
            raise explain(exc, body) from exc
        self._body = body
        self._touched: _Touched = {}
        self._words: list[str] = []
        self._num_unnamed = 0

    @property
    def changes(self) -> tuple[str, ...]:
        """What was changed, in words for a header: the first `MAX_WORDS`, and how many more."""
        more = (f"{self._num_unnamed} more",) if self._num_unnamed else ()
        return (*self._words, *more)

    def note(self, *path: Step, to: object = None) -> None:
        """Name a change.

        Args:
            path: Where it was made.
            to: What stands there now, or is called otherwise; None: nothing does.
        """
        if len(self._words) >= MAX_WORDS:
            self._num_unnamed += 1
            return
        word = ".".join(map(str, path)) + ("" if to is None else f" -> {to}")
        self._words.append(_STRANGE.sub("?", word)[:_MAX_WORD_CHARS])

    def put(self, *path: Step, value: Any) -> None:
        """Put a value where there may be another; name it with `note`."""
        holder = self._holder(path)
        holder[path[-1]] = value
        self._touch(path)

    def drop(self, *path: Step) -> None:
        """Leave a key out, and name it unless it says nothing anyway."""
        if self.take(*path) not in (None, [], {}):
            self.note(*path)

    def take(self, *path: Step) -> Any:
        """Leave a key out; return what it held."""
        value = self._holder(path).pop(path[-1])
        self._touch(path)
        return value

    def encode(self) -> bytes:
        """Return the body as it is now."""
        if not self._touched:
            return self._body
        return bytes(_written(self._body, self.said, self._touched))

    def _holder(self, path: Path) -> Any:
        holder: Any = self.said
        for step in path[:-1]:
            holder = holder[step]
        return holder

    def _touch(self, path: Path) -> None:
        touched = self._touched
        for step in path[:-1]:
            deeper = touched.setdefault(step, {})
            if deeper is None:
                return  # all of it is written anew already
            touched = deeper
        touched[path[-1]] = None


def _written(raw: bytes | msgspec.Raw, value: Any, touched: _Touched) -> msgspec.Raw:
    if isinstance(value, dict):
        fields = _fields_of(raw)
        return msgspec.Raw(
            _encode(
                {key: _each(fields.get(key), held, key, touched) for key, held in value.items()}
            )
        )
    items = _items_of(raw)
    return msgspec.Raw(
        _encode([_each(items[at], held, at, touched) for at, held in enumerate(value)])
    )


def _each(raw: msgspec.Raw | None, value: Any, step: Step, touched: _Touched) -> msgspec.Raw:
    if step not in touched and raw is not None:
        return raw
    deeper = touched.get(step)
    if deeper is None or raw is None:
        return msgspec.Raw(_encode(value))
    return _written(raw, value, deeper)


def not_taken(param: str, why: str) -> Unsupported:
    """Return the error for what this target does not do and another may; `why` says what helps."""
    error = Unsupported(f"This target does not take '{param}': {why}.")
    error.param, error.code = param, "unsupported_parameter"
    return error


def drop_unknown(draft: Draft, path: Path, holder: Any, known: frozenset[str]) -> None:
    """Leave out, and name, the keys of an object that are none of these; no object, no change."""
    if isinstance(holder, dict) and not holder.keys() <= known:
        for key in [key for key in holder if key not in known]:
            draft.drop(*path, key)


def keys_of(record: type[msgspec.Struct]) -> frozenset[str]:
    """Return the keys that an object of this shape may have."""
    tag = record.__struct_config__.tag_field
    return frozenset(record.__struct_fields__) | ({tag} if tag else set())


def inside(record: type[msgspec.Struct], field: str) -> type[msgspec.Struct]:
    """Return the shape of the object that a field holds."""
    [hint] = [each.type for each in msgspec.structs.fields(record) if each.name == field]
    return next(
        each
        for each in (hint, *get_args(hint))
        if isinstance(each, type) and issubclass(each, msgspec.Struct)
    )
