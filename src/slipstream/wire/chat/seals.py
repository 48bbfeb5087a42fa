"""Seals of any vendor in chat's words, so that a client that keeps unknown fields brings them back.

Beside a message they are items of `reasoning_details`, beside a call they are `extra_content`.
OpenRouter's items and Google's signatures have a place of their own there and stay as they are; the
others say whose they are: `"format": "slipstream/VENDOR/KIND"`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.asking import Reasoning, Seal

DETAILS: Final = "reasoning_details"
THOUGHT_SIGNATURE: Final = "thought_signature"
_DETAILS_VENDOR: Final = "openrouter"
_SIGNATURE_VENDOR: Final = "gemini"
_MARK: Final = "slipstream"
_EMPTY: Final = (b"", b"null", b"{}", b"[]")


class _Detail(Struct):
    format: str | None = None
    data: str | None = None
    id: str | None = None
    text: str | None = None
    is_summary: bool = False


class _Google(Struct):
    thought_signature: str | None = None


class _Extra(Struct):
    google: _Google | None = None
    slipstream: list[Seal] | None = None


_encode: Final = msgspec.json.Encoder().encode
_detail_decoder: Final = msgspec.json.Decoder(_Detail)
_extra_decoder: Final = msgspec.json.Decoder(_Extra)
_items_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


def encode_details(reasoning: Reasoning, index: int) -> list[msgspec.Raw]:
    """Return the items of `reasoning_details` that a stretch of reasoning is, seals and text.

    Args:
        index: Of the first item among those of its message.
    """
    items: list[msgspec.Raw] = []
    for seal in reasoning.seals:
        if seal.vendor == _DETAILS_VENDOR and seal.kind == DETAILS:
            items += split_details(seal)
            continue
        item: dict[str, Any] = {
            "type": "reasoning.encrypted",
            "format": f"{_MARK}/{seal.vendor}/{seal.kind}",
            "index": index + len(items),
            "id": seal.item_id,
            "data": seal.data,
        }
        if reasoning.text and seal is reasoning.seals[0]:
            item["text"] = reasoning.text
        if reasoning.is_summary:
            item["is_summary"] = True
        items.append(msgspec.Raw(_encode(item)))
    return items


def split_details(seal: Seal) -> list[msgspec.Raw]:
    """Return the items that a seal of the kind `reasoning_details` holds."""
    try:
        return _items_decoder.decode(seal.data)
    except UNREADABLE:
        return []


def join_details(items: Iterable[bytes | msgspec.Raw], vendor: str = _DETAILS_VENDOR) -> Seal:
    """Return items as the seal of who gave them out."""
    data = b"[" + b",".join(bytes(item) for item in items) + b"]"
    return Seal(vendor=vendor, kind=DETAILS, data=data.decode())


def read_details(items: Sequence[msgspec.Raw]) -> tuple[Reasoning, ...]:
    """Return what a client brings back, in its order; neighbours of OpenRouter's are one."""
    stretches: list[Reasoning] = []
    others: list[msgspec.Raw] = []
    for item in items:
        own = _read_own(item)
        if own is None:
            others.append(item)
            continue
        if others:
            stretches.append(Reasoning(seals=(join_details(others),)))
            others = []
        stretches.append(own)
    if others:
        stretches.append(Reasoning(seals=(join_details(others),)))
    return tuple(stretches)


def _read_own(item: msgspec.Raw) -> Reasoning | None:
    try:
        said = _detail_decoder.decode(item)
    except UNREADABLE:
        return None
    mark, _, whose = (said.format or "").partition("/")
    vendor, _, kind = whose.partition("/")
    if mark != _MARK or said.data is None:
        return None
    seal = Seal(vendor=vendor, kind=kind, data=said.data, item_id=said.id)
    return Reasoning(text=said.text or "", is_summary=said.is_summary, seals=(seal,))


def encode_extra(seals: Iterable[Seal]) -> dict[str, Any]:
    """Return the `extra_content` of a call or a message; empty where there are no seals."""
    extra: dict[str, Any] = {}
    for seal in seals:
        if seal.vendor == _SIGNATURE_VENDOR and seal.kind == THOUGHT_SIGNATURE:
            extra["google"] = {THOUGHT_SIGNATURE: seal.data}
        else:
            extra.setdefault(_MARK, []).append(seal)
    return extra


def read_extra(raw: msgspec.Raw, vendor: str = _SIGNATURE_VENDOR) -> tuple[Seal, ...]:
    """Return the seals of an `extra_content`; what is not known there is passed over.

    Args:
        vendor: Whose the signature in Google's place is.
    """
    if bytes(raw) in _EMPTY:
        return ()
    try:
        said = _extra_decoder.decode(raw)
    except UNREADABLE:
        return ()
    seals = list(said.slipstream or ())
    if said.google is not None and said.google.thought_signature:
        data = said.google.thought_signature
        seals.insert(0, Seal(vendor=vendor, kind=THOUGHT_SIGNATURE, data=data))
    return tuple(seals)
