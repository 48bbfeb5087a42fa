"""Tests of each behaviour over raw sockets: what a client reads, byte by byte, and how it ends."""

import json
from collections.abc import AsyncIterator

import pytest

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.upstream.scripted_raw import (
    Wire,
    chat,
    chunks,
    talk,
)

STREAM = chat("one two three", stream=True)
NUM_EVENTS = 6  # role, three words, finish, [DONE]


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: 1_700_000_000) as running:
        yield running


async def streamed(upstream: ScriptedUpstream, mock: str = "", until: bytes | None = None) -> Wire:
    return await talk(upstream, STREAM, mock=mock, until=until)


async def plain(upstream: ScriptedUpstream, mock: str = "", until: bytes | None = None) -> Wire:
    return await talk(upstream, chat("one two three"), mock=mock, until=until)


# ---- what the answer says -----------------------------------------------------------------------


async def test_text_is_said_in_place_of_the_echo(upstream: ScriptedUpstream) -> None:
    """Commas come percent-encoded."""
    wire = await plain(upstream, "text=well%2C no")
    assert wire.document["choices"][0]["message"]["content"] == "well, no"


async def test_tokens_sets_the_length_of_the_answer(upstream: ScriptedUpstream) -> None:
    """The text is repeated, and the limit of the request still holds."""
    wire = await plain(upstream, "tokens=5")
    assert wire.document["choices"][0]["message"]["content"] == "one two three one two"
    assert (await streamed(upstream, "tokens=4")).words == "one two three one"
    limited = (await talk(upstream, chat(max_tokens=2), mock="tokens=9")).document
    assert limited["usage"]["completion_tokens"] == 2


async def test_empty_answers_without_content(upstream: ScriptedUpstream) -> None:
    """Role and finish remain."""
    assert (await plain(upstream, "empty")).document["usage"]["completion_tokens"] == 0
    assert len((await streamed(upstream, "empty")).events) == 3


async def test_finish_is_said(upstream: ScriptedUpstream) -> None:
    """Any reason can be had."""
    wire = await plain(upstream, "finish=content_filter")
    assert wire.document["choices"][0]["finish_reason"] == "content_filter"


async def test_reasoning_is_counted_and_shown_only_when_asked(upstream: ScriptedUpstream) -> None:
    """It counts in completion_tokens and against the limit; its field has two names."""
    document = (await plain(upstream, "reasoning=4")).document
    usage = document["usage"]
    assert usage["completion_tokens"] == 7
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 4
    assert set(document["choices"][0]["message"]) == {"role", "content", "refusal"}
    shown = (await plain(upstream, "reasoning=2,reasoning_field=both")).document
    message = shown["choices"][0]["message"]
    assert message["reasoning"] == message["reasoning_content"] == "hmm hmm"
    limited = await talk(upstream, chat(max_tokens=3), mock="reasoning=9")
    usage = limited.document["usage"]
    assert usage["completion_tokens"] == 3
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 3
    assert limited.document["choices"][0]["finish_reason"] == "length"


async def test_reasoning_streams_before_the_words(upstream: ScriptedUpstream) -> None:
    """Thought first, word by word, under the name asked for."""
    wire = await streamed(upstream, "reasoning=2,reasoning_field=reasoning")
    deltas = [json.loads(event)["choices"][0]["delta"] for event in wire.events[1:4]]
    assert deltas == [{"reasoning": "hmm"}, {"reasoning": " hmm"}, {"content": "one"}]


async def test_cached_is_part_of_the_prompt(upstream: ScriptedUpstream) -> None:
    """A shorter prompt is reported as long as what is cached of it."""
    usage = (await plain(upstream, "cached=2")).document["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (3, 2)
    usage = (await plain(upstream, "cached=100")).document["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (100, 103)


async def test_usage_none_leaves_it_out_even_when_asked(upstream: ScriptedUpstream) -> None:
    """Neither the field nor the chunk."""
    assert "usage" not in (await plain(upstream, "usage=none")).document
    asked = chat(stream=True, stream_options={"include_usage": True})
    assert "usage" not in (await talk(upstream, asked, mock="usage=none")).body.decode()


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [chat(), STREAM])
async def test_status_is_sent_with_an_error_body(
    upstream: ScriptedUpstream, document: dict[str, object]
) -> None:
    """A stream's error is plain JSON too; Retry-After is in seconds."""
    wire = await talk(upstream, document, mock="status=429,retry_after=2")
    assert wire.data.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert wire.headers["retry-after"] == "2"
    assert wire.headers["content-type"] == "application/json"
    assert wire.document["error"] == {
        "message": "this error was scripted, with status 429",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }


async def test_status_below_400_is_sent_with_its_own_meaning(upstream: ScriptedUpstream) -> None:
    """A redirect leads to a place where nothing is; 204 has no body; others answer as usual."""
    redirect = await plain(upstream, "status=307")
    assert (redirect.status, redirect.headers["location"]) == (307, "/v1/redirected")
    assert (await talk(upstream, None, method="GET", path="/v1/redirected")).status == 404
    assert (await plain(upstream, "status=204")).raw_body == b""
    assert (await plain(upstream, "status=201")).document["object"] == "chat.completion"
    assert (await plain(upstream, "status=520")).data.startswith(b"HTTP/1.1 520 Scripted\r\n")


async def test_code_is_put_into_the_error(upstream: ScriptedUpstream) -> None:
    """Blame is read from the code: a 429 may mean an empty account."""
    wire = await plain(upstream, "status=429,code=insufficient_quota")
    assert wire.document["error"]["code"] == "insufficient_quota"


async def test_body_is_sent_as_it_is(upstream: ScriptedUpstream) -> None:
    """What a proxy in front of a provider says is HTML; what looks like JSON is sent as such."""
    wire = await plain(upstream, "status=502,body=<h1>Bad</h1>")
    assert (wire.status, wire.body) == (502, b"<h1>Bad</h1>")
    assert wire.headers["content-type"].startswith("text/html")
    wire = await plain(upstream, 'body={"message": "flat"}')
    assert (wire.status, wire.document) == (200, {"message": "flat"})


async def test_error_in_200_is_a_body_or_the_only_event(upstream: ScriptedUpstream) -> None:
    """In a stream it has an event's name, and no [DONE] follows."""
    wire = await plain(upstream, "error_in_200,code=overloaded")
    assert (wire.status, wire.document["error"]["code"]) == (200, "overloaded")
    raw = (await streamed(upstream, "error_in_200")).body
    assert raw.startswith(b'event: error\ndata: {"error":')
    assert raw.count(b"data:") == 1


async def test_error_after_ends_the_stream_with_an_error(upstream: ScriptedUpstream) -> None:
    """N ordinary events, one error, the proper end of the HTTP body, no [DONE]."""
    wire = await streamed(upstream, "error_after=2")
    assert wire.body.count(b"data:") == 3
    assert b'"content":"one"' in wire.body
    assert wire.body.split(b"\n\n")[2].startswith(b'event: error\ndata: {"error":')
    assert wire.raw_body.endswith(b"0\r\n\r\n")


# ---- time ---------------------------------------------------------------------------------------


def first_byte_ms(upstream: ScriptedUpstream) -> float:
    row = upstream.log[-1]
    assert row.first_byte_ms is not None
    return row.first_byte_ms - row.started_ms


def whole_ms(upstream: ScriptedUpstream) -> float:
    row = upstream.log[-1]
    assert row.ended_ms is not None
    return row.ended_ms - row.started_ms


async def test_delay_comes_before_the_first_byte(upstream: ScriptedUpstream) -> None:
    """Nothing at all is sent before."""
    await plain(upstream, "delay=0.05")
    assert first_byte_ms(upstream) >= 49


async def test_delay_headers_only_sends_the_headers_before_it(upstream: ScriptedUpstream) -> None:
    """A client that waits for headers is satisfied, one that waits for a body is not."""
    for document in (chat(), STREAM):
        wire = await talk(
            upstream, document, mock="delay=600,delay_headers_only", until=b"\r\n\r\n"
        )
        assert (wire.end, wire.raw_body) == ("quiet", b"")
        assert wire.status == 200
    wire = await plain(upstream, "delay=0.05,delay_headers_only")
    assert wire.document["object"] == "chat.completion"
    assert whole_ms(upstream) >= 49


async def test_gap_lies_between_events(upstream: ScriptedUpstream) -> None:
    """One gap fewer than events: the first event does not wait."""
    wire = await streamed(upstream, "gap=0.02")
    assert len(wire.events) == NUM_EVENTS
    assert whole_ms(upstream) >= (NUM_EVENTS - 1) * 19


async def test_rate_keeps_a_schedule(upstream: ScriptedUpstream) -> None:
    """The Nth event is not sent before N - 1 intervals have passed."""
    wire = await streamed(upstream, "rate=50")
    assert len(wire.events) == NUM_EVENTS
    assert whole_ms(upstream) >= (NUM_EVENTS - 1) * 19


async def test_rate_above_what_a_loop_can_do_is_as_fast_as_it_goes(
    upstream: ScriptedUpstream,
) -> None:
    """A schedule that is behind does not wait."""
    assert len((await streamed(upstream, "rate=1000000,tokens=200")).events) == 203


@pytest.mark.parametrize(
    ("num_events", "last"), [(0, b"\r\n\r\n"), (2, b'"one"'), (100, b"[DONE]")]
)
async def test_stall_after_sends_events_and_nothing_more(
    upstream: ScriptedUpstream, num_events: int, last: bytes
) -> None:
    """The connection stays open; the end of the body is never sent."""
    wire = await streamed(upstream, f"stall_after={num_events}", until=last)
    assert wire.end == "quiet"
    assert len(wire.events) == min(num_events, NUM_EVENTS)
    assert not wire.raw_body.endswith(b"0\r\n\r\n")
    await upstream.wait_for(lambda u: u.log[-1].ending == "client_closed_mid_stream")


async def test_stall_after_0_holds_a_plain_answer_after_its_headers(
    upstream: ScriptedUpstream,
) -> None:
    """The headers promise a body that does not come."""
    wire = await plain(upstream, "stall_after=0", until=b"\r\n\r\n")
    assert (wire.end, wire.raw_body) == ("quiet", b"")
    assert int(wire.headers["content-length"]) > 100


# ---- broken answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3])
async def test_malformed_chunk_breaks_one_event(upstream: ScriptedUpstream, number: int) -> None:
    """The others are whole, and the stream goes on."""
    events = (await streamed(upstream, f"malformed_chunk={number}")).events
    assert len(events) == NUM_EVENTS
    assert [i for i, event in enumerate(events, 1) if not is_whole(event)] == [number]


async def test_malformed_chunk_breaks_a_plain_answer(upstream: ScriptedUpstream) -> None:
    """The length is right; the JSON is not."""
    wire = await plain(upstream, "malformed_chunk=1")
    assert not is_whole(wire.body.decode())
    assert len(wire.raw_body) == int(wire.headers["content-length"])


def is_whole(event: str) -> bool:
    try:
        json.loads(event.replace("[DONE]", "{}"))
    except ValueError:
        return False
    return True


async def test_no_done_leaves_out_only_the_terminal_event(upstream: ScriptedUpstream) -> None:
    """The HTTP body ends properly."""
    wire = await streamed(upstream, "no_done")
    assert len(wire.events) == NUM_EVENTS - 1
    assert "[DONE]" not in wire.events
    assert wire.raw_body.endswith(b"0\r\n\r\n")


async def test_cut_at_every_byte_sends_exactly_that_many(upstream: ScriptedUpstream) -> None:
    """From 0 to one more than the whole answer, which then closes without saying so."""
    keep_alive = (("connection", "keep-alive"),)
    whole = await talk(upstream, STREAM, headers=keep_alive, mock="cut=999999")
    total = len(whole.data)
    assert whole.raw_body.endswith(b"0\r\n\r\n")
    for count in [*range(0, total, 41), total - 1, total, total + 1]:
        wire = await talk(upstream, STREAM, headers=keep_alive, mock=f"cut={count}")
        assert len(wire.data) == min(count, total)
        assert (wire.end, upstream.log[-1].ending) == ("eof", "cut")
        assert upstream.log[-1].bytes_sent == min(count, total)


@pytest.mark.parametrize("extra", ["", ",early_hints", ",split=5", ",chunked_tiny"])
async def test_cut_body_counts_from_the_end_of_the_headers(
    upstream: ScriptedUpstream, extra: str
) -> None:
    """A 103 before the answer is no part of its body."""
    wire = await plain(upstream, f"cut_body=10{extra}")
    data = wire.data.replace(b"HTTP/1.1 103", b"").partition(b"HTTP/1.1 200")[2]
    assert len(data.partition(b"\r\n\r\n")[2]) == 10


async def test_cut_with_a_gap_closes_without_waiting_for_it(upstream: ScriptedUpstream) -> None:
    """The connection closes with the byte, not with the next event."""
    head = len((await streamed(upstream)).head) + 4
    wire = await streamed(upstream, f"gap=600,cut={head}")
    assert (len(wire.data), wire.end) == (head, "eof")


@pytest.mark.parametrize(("mock", "count"), [("reset", 0), ("cut=30,reset", 30)])
async def test_reset_ends_with_rst_at_once_or_where_a_cut_says(
    upstream: ScriptedUpstream, mock: str, count: int
) -> None:
    """What comes before is delivered; then the connection is reset, not ended."""
    wire = await plain(upstream, mock)
    assert (len(wire.data), wire.end) == (count, "reset")
    assert upstream.log[-1].ending == "reset"


async def test_http_garbage_is_no_http(upstream: ScriptedUpstream) -> None:
    """No status line, and then the end."""
    wire = await plain(upstream, "http_garbage")
    assert b"HTTP/" not in wire.data
    assert wire.data != b""
    assert wire.end == "eof"


# ---- the shape of the bytes ---------------------------------------------------------------------


async def test_split_sends_the_same_bytes_in_pieces(upstream: ScriptedUpstream) -> None:
    """Only the writes differ."""
    whole, pieces = await plain(upstream), await plain(upstream, "split=1")
    assert pieces.data.replace(b"000002", b"000001") == whole.data
    assert len(pieces.reads) > 10 * len(whole.reads)


async def test_events_per_write_joins_events_in_one_chunk(upstream: ScriptedUpstream) -> None:
    """The last batch holds what is left."""
    wire = await streamed(upstream, "events_per_write=4")
    assert [chunk.count(b"data:") for chunk in chunks(wire.raw_body)] == [4, 2]
    ordinary = await streamed(upstream)
    assert [chunk.count(b"data:") for chunk in chunks(ordinary.raw_body)] == [1] * NUM_EVENTS


async def test_crlf_ends_the_lines_of_events(upstream: ScriptedUpstream) -> None:
    """Every line, and none twice."""
    body = (await streamed(upstream, "crlf,comments")).body
    assert body.count(b"\n") == body.count(b"\r\n") == 4 * NUM_EVENTS
    assert b"\r\r" not in body


async def test_comments_come_before_each_event(upstream: ScriptedUpstream) -> None:
    """Events are unchanged, and comments do not count as events."""
    wire = await streamed(upstream, "comments")
    assert wire.body.count(b": keep-alive\n\n") == len(wire.events) == NUM_EVENTS
    stalled = await streamed(upstream, "comments,stall_after=2", until=b'"one"')
    assert len(stalled.events) == 2


@pytest.mark.parametrize("document", [chat(), STREAM])
async def test_close_delimited_ends_with_the_connection(
    upstream: ScriptedUpstream, document: dict[str, object]
) -> None:
    """Neither length nor chunks; it says that it closes, and it is a complete answer."""
    wire = await talk(upstream, document, mock="close_delimited", headers=())
    assert not {"content-length", "transfer-encoding"} & set(wire.headers)
    assert (wire.headers["connection"], wire.end) == ("close", "eof")
    assert upstream.log[-1].ending == "complete"
    assert b"one" in wire.body


@pytest.mark.parametrize("document", [chat(), STREAM])
async def test_chunked_tiny_uses_chunks_of_one_byte(
    upstream: ScriptedUpstream, document: dict[str, object]
) -> None:
    """A plain answer is chunked too."""
    wire = await talk(upstream, document, mock="chunked_tiny")
    assert {len(chunk) for chunk in chunks(wire.raw_body)} == {1}
    assert wire.body.count(b"three") == 1


async def test_early_hints_come_before_the_answer(upstream: ScriptedUpstream) -> None:
    """An informational response, then the answer as usual."""
    wire = await plain(upstream, "early_hints")
    assert wire.data.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in wire.data


async def test_header_bytes_adds_a_long_header(upstream: ScriptedUpstream) -> None:
    """As long as asked."""
    wire = await plain(upstream, "header_bytes=100000")
    assert wire.headers["x-padding"] == "x" * 100_000
