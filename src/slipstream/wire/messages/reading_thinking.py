"""What the assistant thought, as a client of Messages sends it back: whose it is, what it seals.

A signature that begins with our mark is a parcel that answers_out.py closed: reasoning of another
vendor, and seals of calls, for which a block of calls has no place. Any other is Anthropic's.
"""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.messages.call_ids import original_id
from slipstream.wire.messages.reading_blocks import KINDS_OF_ROLE, block_kind, outside, read_block
from slipstream.wire.refusals import decode_at
from slipstream.wire.talk.asking import Part, Reasoning, Seal, ToolCall
from slipstream.wire.talk.parcels import Parcel, open_parcel

VENDOR: Final = "anthropic"


class _Thinking(Struct):
    thinking: str = ""
    signature: str = ""


class _Redacted(Struct):
    data: str


_thinking_decoder: Final = msgspec.json.Decoder(_Thinking)
_redacted_decoder: Final = msgspec.json.Decoder(_Redacted)


def read_assistant(raws: list[msgspec.Raw], where: str) -> tuple[Part, ...]:
    """Read all blocks of an assistant's message.

    Raises:
        BadRequest: It names the block.
        Unsupported: A block is one that only Anthropic knows.
    """
    parts: list[Part] = []
    seals: dict[str, list[Seal]] = {}  # by the id of the call
    for at, raw in enumerate(raws):
        path = f"{where}[{at}]"
        kind = block_kind(raw, path)
        if kind not in KINDS_OF_ROLE["assistant"]:
            raise outside(f"{path}.type", kind, KINDS_OF_ROLE["assistant"])
        if kind in ("thinking", "redacted_thinking"):
            parcel, reasoning = _read_reasoning(kind, raw, path)
            for one in parcel.call_seals:
                seals.setdefault(original_id(one.call_id), []).append(one.seal)
            parts += [reasoning] if reasoning.text or reasoning.seals else []
        else:
            parts.append(read_block(kind, raw, path))
    return tuple(_with_seals(part, seals) for part in parts) if seals else tuple(parts)


def _read_reasoning(kind: str, raw: msgspec.Raw, where: str) -> tuple[Parcel, Reasoning]:
    if kind == "thinking":
        said = decode_at(_thinking_decoder, raw, where)
        text, sealed, field, what = said.thinking, said.signature, "signature", "signature"
    else:
        text, field, what = "", "data", "redacted"
        sealed = decode_at(_redacted_decoder, raw, where).data
    parcel = open_parcel(sealed, f"{where}.{field}")
    if parcel is None:
        seals = (Seal(vendor=VENDOR, kind=what, data=sealed),) if sealed else ()
        return Parcel(), Reasoning(text=text, seals=seals)
    return parcel, Reasoning(
        text=text or parcel.text, is_summary=parcel.is_summary, seals=parcel.seals
    )


def _with_seals(part: Part, seals: dict[str, list[Seal]]) -> Part:
    if not isinstance(part, ToolCall) or part.call_id not in seals:
        return part
    return msgspec.structs.replace(part, seals=tuple(seals[part.call_id]))
