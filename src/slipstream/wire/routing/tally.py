"""What is found while a request is looked through for what it needs.

Whatever has another shape than its dialect's is passed over: who reads it whole says what is wrong.
"""

from typing import Any, Final, TypeVar

import msgspec

from slipstream.choice import (
    AUDIO,
    CHOICES,
    DOCUMENTS,
    IMAGES,
    JSON_OBJECT,
    JSON_SCHEMA,
    LOGPROBS,
    REASONING,
    TOOLS,
    Needs,
)
from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.parcels import Parcel, open_parcel

T = TypeVar("T")

NOTHING: Final = msgspec.Raw()

_IMAGE_TOKENS: Final = 1_600  # what Anthropic says of a picture of 1.15 megapixels
_DOCUMENT_TOKENS: Final = 5_000  # of one whose size nobody tells: two pages
_DOCUMENT_BYTES_PER_TOKEN: Final = 40  # in base64: a page of a PDF has about 100 kB, 2,500 tokens
_SOUND_BYTES_PER_TOKEN: Final = 800  # in base64: MP3 of 128 kbit/s, and 25 tokens a second
_ADDRESS_BYTES: Final = 2_048  # what is shorter names a picture or a file, and holds none
_ABSENT: Final = frozenset({b"", b"null", b"[]", b"{}", b'""', b"false"})
_LONGEST_ABSENT: Final = 5
_FORMS: Final = {"json_schema": JSON_SCHEMA, "json_object": JSON_OBJECT}
_NO_THINKING: Final = (None, "none", "disabled", False)


def is_given(raw: msgspec.Raw) -> bool:
    """Tell whether a field says more than that there is nothing."""
    return raw is not NOTHING and bytes(memoryview(raw)[: _LONGEST_ABSENT + 1]) not in _ABSENT


def starts_with(raw: msgspec.Raw, first: bytes) -> bool:
    """Tell what a value begins with, without a copy of it."""
    return raw is not NOTHING and memoryview(raw)[0] == first[0]


def decoded(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw | bytes) -> T | None:
    """Return what some bytes say; None where they are of another shape."""
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return None


class Typed(msgspec.Struct):
    """What names its own kind: a form, a way to think."""

    type: Any = None


class Effort(msgspec.Struct):
    """How much is to be thought; each provider has its own word for it."""

    effort: Any = None
    max_tokens: Any = None
    enabled: Any = None
    summary: Any = None


_typed_decoder: Final = msgspec.json.Decoder(Typed)
_effort_decoder: Final = msgspec.json.Decoder(Effort)
_any_decoder: Final = msgspec.json.Decoder()


class Tally:
    """What was found so far.

    Args:
        abilities: Bits of `choice.ABILITIES`; at first those of the endpoint.
    """

    __slots__ = ("abilities", "media_bytes", "media_tokens", "sealed_by")

    def __init__(self, abilities: int) -> None:
        self.abilities = abilities
        self.media_bytes = self.media_tokens = 0
        self.sealed_by: set[str] = set()

    def needs(self, num_bytes: int) -> Needs:
        """Return the needs of a request whose texts and media have so many bytes together."""
        return Needs(
            abilities=self.abilities,
            input_bytes=max(num_bytes - self.media_bytes, 0),
            media_tokens=self.media_tokens,
            sealed_by=frozenset(self.sealed_by) if self.sealed_by else _NOBODY,
        )

    # ---- media ----------------------------------------------------------------------------------

    def see_image(self, raw: msgspec.Raw) -> None:
        """Count a picture, by its bytes or by its address."""
        self.abilities |= IMAGES
        self.media_bytes += len(memoryview(raw))
        self.media_tokens += _IMAGE_TOKENS

    def see_sound(self, raw: msgspec.Raw) -> None:
        """Count sound."""
        self.abilities |= AUDIO
        num_bytes = len(memoryview(raw))
        self.media_bytes += num_bytes
        self.media_tokens += num_bytes // _SOUND_BYTES_PER_TOKEN

    def see_document(self, raw: msgspec.Raw) -> None:
        """Count a file that is not plain text."""
        self.abilities |= DOCUMENTS
        num_bytes = len(memoryview(raw))
        self.media_bytes += num_bytes
        is_address = num_bytes < _ADDRESS_BYTES
        self.media_tokens += (
            _DOCUMENT_TOKENS if is_address else num_bytes // _DOCUMENT_BYTES_PER_TOKEN
        )

    # ---- what is asked of the answer ------------------------------------------------------------

    def see_tools(self, *raws: msgspec.Raw) -> None:
        """Note tools that are offered, or were called."""
        if any(map(is_given, raws)):
            self.abilities |= TOOLS

    def see_form(self, raw: msgspec.Raw) -> None:
        """Note the form that the answer must have, by its `type`."""
        said = decoded(_typed_decoder, raw) if is_given(raw) else None
        if said is not None and isinstance(said.type, str):
            self.abilities |= _FORMS.get(said.type, 0)

    def see_effort(self, raw: msgspec.Raw) -> None:
        """Note how much is to be thought: a word, or an object that says it."""
        if not is_given(raw):
            return
        said = decoded(_effort_decoder, raw)
        if said is None:
            told = [decoded(_any_decoder, raw)]
        elif said.effort is not None:
            told = [said.effort]
        else:
            told = [said.max_tokens, said.enabled, said.summary]
        if any(one not in _NO_THINKING for one in told):
            self.abilities |= REASONING

    def see_thinking(self, raw: msgspec.Raw) -> None:
        """Note a way to think, by its `type`; one that leaves it to the model asks for nothing."""
        said = decoded(_typed_decoder, raw) if is_given(raw) else None
        if said is not None and said.type not in (*_NO_THINKING, "adaptive"):
            self.abilities |= REASONING

    def see_scores(self, *raws: msgspec.Raw) -> None:
        """Note log probabilities: asked for by a truth or by a number."""
        if any(is_given(raw) and bytes(raw) != b"0" for raw in raws):
            self.abilities |= LOGPROBS

    def see_choices(self, *raws: msgspec.Raw) -> None:
        """Note how many answers are wanted."""
        if any(is_given(raw) and bytes(raw) != b"1" for raw in raws):
            self.abilities |= CHOICES

    # ---- what only one vendor can read ----------------------------------------------------------

    def see_seal(self, raw: msgspec.Raw, vendor: str) -> None:
        """Note a sealed text: our parcel of anybody's reasoning, or the vendor's own."""
        sealed = decoded(_any_decoder, raw) if is_given(raw) else None
        if not isinstance(sealed, str):
            return
        parcel = _opened(sealed)
        if parcel is None:
            self.sealed_by.add(vendor)
        else:
            self.sealed_by.update(seal.vendor for seal in parcel.seals)
            self.sealed_by.update(call.seal.vendor for call in parcel.call_seals)


_NOBODY: Final[frozenset[str]] = frozenset()


def _opened(sealed: str) -> Parcel | None:
    try:
        return open_parcel(sealed, "")
    except BadRequest:
        return Parcel()  # it was changed, which is told where it matters
