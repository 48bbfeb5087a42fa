"""The layer that makes conversations of the Responses dialect shorter.

    Call ── a provider that does this itself ──▶ relayed
         └─ any other ──▶ a Responses call for a summary ──▶ END, with the summary in a parcel

Either way it is a call like all others: limited, metered, logged.
"""

from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import msgspec

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Serve
from slipstream.errors import Broken
from slipstream.server.responses_keeping import Keeping
from slipstream.wire.responses.compaction import read_summary, write_task
from slipstream.wire.responses.following import Following, Wish
from slipstream.wire.responses.kept import known_upstream
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.parcels import MARK

_PARCEL: Final = MARK.encode()


def compacting(serve: Serve, keeping: Keeping, compactor_of: Callable[[Call], str | None]) -> Serve:
    """Return what answers calls for a compaction.

    Args:
        compactor_of: The provider that all targets of a call are at, if it makes conversations
            shorter itself. Raises UnknownModel.
    """

    async def compact(call: Call) -> Frames:
        wish = call.asked
        assert isinstance(wish, Wish), "it was read at the door"
        provider = compactor_of(call)
        following = (await keeping.before(call.key_id, call.body, wish)).following
        asked: Asked | None = None
        if provider is not None and _is_readable(call, following, provider):
            aimed = msgspec.structs.replace(
                call, body=known_upstream(following, call.body), asked=None
            )
        else:
            asked = read_asked(call.body, earlier=following.earlier, known=following.known).asked
            aimed = msgspec.structs.replace(
                call,
                dialect=Dialect.OPENAI_RESPONSES,
                body=write_task(asked, call.body),
                asked=None,
            )
        async with aclosing(serve(aimed)) as frames:
            async for frame in frames:
                if asked is not None and frame.meaning is Meaning.END:
                    frame = _compacted(frame, asked)
                yield frame

    return compact


def _is_readable(call: Call, following: Following, provider: str) -> bool:
    return _PARCEL not in call.body and following.is_readable_at(provider)


def _compacted(frame: Frame, asked: Asked) -> Frame:
    """Return the frame of a summary as that of a compaction."""
    made = read_summary(asked, frame.data)
    if made is None:
        raise Broken("the model gave no summary of the conversation")
    return msgspec.structs.replace(frame, data=msgspec.json.encode(made))
