"""An answer as the events of `wire/talk`, and a writer's frames as events of the stream.

The dialects whose answers the gateway itself can write are written by its own writers.
"""

from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Final

from slipstream.call import Frame, Usage
from slipstream.upstream.scripted.answer import split_words
from slipstream.upstream.scripted.nouns import Answer, Ask, Event, Stamp
from slipstream.wire.talk import events as talk
from slipstream.wire.talk.asking import Seal

_TERMINAL: Final = frozenset(
    {b"message_stop", b"response.completed", b"response.incomplete", b"response.failed"}
)


def usage_of(answer: Answer) -> Usage | None:
    """Return what it cost, in buckets; None if that is left out."""
    tokens = answer.tokens
    if tokens is None:
        return None
    return Usage(
        input_tokens=tokens.prompt - tokens.cached - tokens.written,
        cache_read_tokens=tokens.cached,
        cache_write_5m_tokens=tokens.written,
        output_tokens=tokens.completion - tokens.reasoning,
        output_reasoning_tokens=tokens.reasoning,
    )


def tell(
    ask: Ask,
    answer: Answer,
    stamp: Stamp,
    *,
    call_prefix: str,
    seal: Seal | None,
    is_summary: bool = False,
) -> Iterator[talk.Event]:
    """Yield the answer, the input's cost first, as vendors that know it tell it.

    Args:
        call_prefix: Of the ids of calls.
        seal: Of the reasoning; None where there is none.
        is_summary: Reasoning is shown as the vendor's summary of it.
    """
    usage = usage_of(answer)
    if usage is not None:
        begun = Usage(
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            output_tokens=1,
        )
        yield talk.Counted(begun)
    yield talk.Began(model=ask.model, created_s=stamp.created_s)
    if ask.has_thoughts and not answer.redacts:
        words = enumerate(split_words(answer.reasoning))
        yield from (talk.Thought(word, 0, is_summary, at == 0) for at, word in words)
    if seal is not None and answer.reasoning:
        yield talk.Sealed(seal)
    kind = talk.Refused if answer.refuses else talk.Said
    yield from (kind(word) for word in split_words(answer.text))
    yield from _tell_calls(answer, stamp, call_prefix)
    if usage is not None:
        yield talk.Counted(usage)
    reason = "content_filter" if answer.refuses else answer.finish
    yield talk.Ended(reason=reason, stop_sequence=answer.stop)
    yield talk.Over()


def _tell_calls(answer: Answer, stamp: Stamp, prefix: str) -> Iterator[talk.Event]:
    told: list[list[talk.Event]] = []
    for index, call in enumerate(answer.calls):
        began = talk.CallBegan(
            index=index,
            call_id=f"{prefix}{stamp.serial:06d}_{index}",
            name=call.name,
            is_custom=call.is_custom,
        )
        is_whole = answer.call_pieces == "whole"
        words = [call.arguments] if is_whole else split_words(call.arguments)
        told.append([began, *(talk.CallSaid(index, word) for word in words)])
    if answer.call_pieces == "interleaved":
        rounds = zip_longest(*told)
        yield from (event for around in rounds for event in around if event is not None)
    else:
        yield from chain.from_iterable(told)


def events_of(frame: Frame) -> Iterator[Event]:
    """Yield the events that a frame holds; the writer's comments are none."""
    for text in frame.data.split(b"\n\n")[:-1]:
        name, data = b"", b""
        for line in text.split(b"\n"):
            field, _, value = line.partition(b": ")
            name = value if field == b"event" else name
            data = value if field == b"data" else data
        if data:
            yield Event(data, name, is_terminal=name in _TERMINAL)
