"""Reasoning of any vendor as one text that a client sends back: `encrypted_content`, a signature.

A parcel holds all that the vendor wants to see again, and the text as it was: the client may
shorten what stands beside it. It is packed, not encrypted: a client could read it, and whoever
changes it is refused by the vendor, whose signatures are in it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.refusals import invalid
from slipstream.wire.talk.asking import Seal

MARK: Final = "slipstream.1."
"""How a parcel begins. A body that holds it was answered by us: other vendors cannot read it."""


class CallSeal(Struct, frozen=True):
    """A seal that belongs to a call, by the id that the client knows."""

    call_id: str
    seal: Seal


class Parcel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in it.

    Args:
        is_summary: The text is the vendor's summary.
        seals: Of the reasoning itself.
        call_seals: Of calls that the same answer made.
    """

    text: str = ""
    is_summary: bool = False
    seals: tuple[Seal, ...] = ()
    call_seals: tuple[CallSeal, ...] = ()


_encode = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(Parcel)


def close_parcel(parcel: Parcel) -> str:
    """Return the text that the client keeps."""
    return MARK + urlsafe_b64encode(_encode(parcel)).decode()


def open_parcel(sealed: str, where: str) -> Parcel | None:
    """Return what is in it; None if it is another vendor's.

    Raises:
        BadRequest: It is ours and was changed; the error names the field `where`.
    """
    if not sealed.startswith(MARK):
        return None
    try:
        return _decoder.decode(urlsafe_b64decode(sealed[len(MARK) :]))
    except (*UNREADABLE, ValueError) as exc:
        raise invalid(where, "expected it unchanged, as an answer gave it") from exc
