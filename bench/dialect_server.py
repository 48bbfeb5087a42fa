"""The upstream for translated streams: the same text in each dialect, by the request's path.

    python -m bench.dialect_server PORT

Number and pace of the events are in the name of the model, `n5000-r400`, since that is what every
dialect passes on.
"""

import re
import sys
from typing import Final

from bench.dialect_streams import STREAMS
from bench.stream_server import Script, StreamServer, chunk_of

_DIALECTS: Final = (
    (b"/chat/completions", "openai_chat"),
    (b"/completions", "openai_completions"),
    (b"/messages", "anthropic_messages"),
    (b"/responses", "openai_responses"),
    (b":streamGenerateContent", "gemini"),
)
_PACE: Final = re.compile(rb"n(\d+)-r(\d+)")


def paced(num_events: int, events_per_s: int) -> str:
    """Return the name of a model that answers with so many events."""
    return f"n{num_events}-r{events_per_s}"


def script_of(target: bytes, body: bytes) -> Script:
    """Return the stream that a request asks for, by its path and its model."""
    parts = STREAMS[next(name for path, name in _DIALECTS if path in target)]
    found = _PACE.search(target) or _PACE.search(body)
    assert found is not None, "the model says the pace"
    return Script(
        b"".join(map(chunk_of, parts.head)),
        [chunk_of(token) for token in parts.tokens],
        int(found[1]),
        1 / int(found[2]),
        b"".join(map(chunk_of, parts.tail)),
    )


if __name__ == "__main__":
    StreamServer(int(sys.argv[1]), script_of).run()
