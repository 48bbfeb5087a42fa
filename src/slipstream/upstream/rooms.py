"""Tells what an upstream's answer shows of its rate limits, where that is of use to a choice."""

from collections.abc import Callable
from datetime import datetime

from slipstream.choice import Attempt, Room, Target
from slipstream.upstream.http.response import HttpResponse
from slipstream.wire.room_hints import read_room

TellRoom = Callable[[Target, Room], None]
"""Hears what is left at a target, with the attempt's credential."""

NoteRoom = Callable[[Attempt, HttpResponse], None]
"""Looks at an answer's headers, whatever its status."""


def noting_room(tell: TellRoom | None, now: Callable[[], datetime]) -> NoteRoom:
    """Return what looks at answers; nothing does where nobody wants to hear of it."""

    def note(attempt: Attempt, response: HttpResponse) -> None:
        if tell is None or not attempt.is_weighed:
            return
        room = read_room(response.headers, now())
        if room is not None:
            tell(attempt.target, room)

    return note
