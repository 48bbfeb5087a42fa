"""Answers of OpenAI-like providers to Cerebras clients: where reasoning and usage stand.

A Cerebras client reads `reasoning`, and looks at the first choice of every chunk: usage that comes
in a chunk without any is put into the one that finishes the answer. All other bytes stay.

Source: ../shared/reference/cerebras-api.md sections 3.1 and 3.3, 2026-11-21.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning
from slipstream.wire.sse import encode_event, event_data

_OTHER_NAME: Final = b'"reasoning_content"'
_FINISH: Final = b'"finish_reason"'
_NO_FINISH: Final = b'"finish_reason":null'
_encode: Final = msgspec.json.Encoder().encode
_fields_of: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_choices_of: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


class _Finishing(msgspec.Struct):
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Finishing] | None = None


_chunk_decoder: Final = msgspec.json.Decoder(_Chunk)


def whole_answer(frame: Frame) -> Frame:
    """Return a plain answer with its reasoning under Cerebras's name."""
    if _OTHER_NAME not in frame.data:
        return frame
    return msgspec.structs.replace(frame, data=_renamed(frame.data, "message"))


class CerebrasView:
    """Turns the frames of one stream, in order, into those that a Cerebras client reads."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: Frame | None = None  # finishes a choice, and may have to tell of usage

    @property
    def is_holding(self) -> bool:
        """A frame that finishes a choice is held back."""
        return self._held is not None

    def read(self, frame: Frame) -> Iterator[Frame]:
        """Yield what takes the place of a frame; one that finishes a choice is held back."""
        if frame.meaning is Meaning.WITHHELD and self._held is not None:
            held, self._held = self._held, None
            yield msgspec.structs.replace(
                held, data=_with_usage(held.data, frame.data), usage=frame.usage
            )
            return
        if frame.meaning is Meaning.CONTENT or frame.meaning is Meaning.END:
            yield from self._release()
        data = event_data(frame.data)
        if data is not None and _OTHER_NAME in data:
            frame = msgspec.structs.replace(frame, data=encode_event(_renamed(data, "delta")))
        if frame.meaning is Meaning.CONTENT and frame.usage is None and _finishes(data):
            self._held = frame
        else:
            yield frame

    def _release(self) -> Iterator[Frame]:
        if self._held is not None:
            held, self._held = self._held, None
            yield held


def _finishes(data: bytes | None) -> bool:
    if data is None or data.count(_FINISH) == data.count(_NO_FINISH):
        return False  # as most chunks say; within a text a quote stands behind a backslash
    said = _chunk_decoder.decode(data)
    return any(choice.finish_reason for choice in said.choices or ())


def _with_usage(event: bytes, account: bytes) -> bytes:
    fields = _fields_of(event_data(event) or b"{}")
    fields["usage"] = _fields_of(event_data(account) or b"{}")["usage"]
    return encode_event(_encode(fields))


def _renamed(data: bytes, holder: str) -> bytes:
    """Call the reasoning of each choice what Cerebras calls it, unless that is there already."""
    fields: dict[str, Any] = _fields_of(data)
    choices: list[dict[str, Any]] = _choices_of(fields["choices"])
    for choice in choices:
        said = _fields_of(choice[holder]) if holder in choice else {}
        if "reasoning_content" in said:
            thought = said.pop("reasoning_content")
            said.setdefault("reasoning", thought)
            choice[holder] = said
    return _encode({**fields, "choices": choices})
