"""OpenAI's compactions as they pass through: what they cost, and what is none."""

import pytest

from slipstream.call import Usage
from slipstream.errors import Broken
from slipstream.wire.responses.compaction_in import CompactionReader
from slipstream.wire.talk.events import Counted, Ended, Over

USAGE = (
    b'{"input_tokens":9,"output_tokens":4,"total_tokens":13,'
    b'"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":1}}'
)


def test_compaction_tells_what_it_cost() -> None:
    """In disjoint buckets; what it holds is nobody's but its vendor's."""
    events = CompactionReader("openai").read_whole(b'{"output":[{"x":1}],"usage":' + USAGE + b"}")
    assert events == [
        Counted(
            Usage(input_tokens=7, cache_read_tokens=2, output_tokens=3, output_reasoning_tokens=1)
        ),
        Ended(reason="stop"),
        Over(),
    ]
    assert CompactionReader().read_whole(b'{"output":[]}') == [Ended(reason="stop"), Over()]


@pytest.mark.parametrize("body", [b"{}", b"[", b'{"output":3}'])
def test_what_is_none_is_broken(body: bytes) -> None:
    """Another target may be tried."""
    with pytest.raises(Broken, match="openai"):
        CompactionReader("openai").read_whole(body)


def test_there_is_no_stream_of_it() -> None:
    """Nobody asks for one."""
    with pytest.raises(Broken):
        CompactionReader().read(b"data: {}\n\n")
    with pytest.raises(Broken):
        CompactionReader().end()
