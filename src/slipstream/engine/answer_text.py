"""What a reader sees of one answer as its tokens come: text, reasoning, tool calls.

    token ──▶ Detokenizer ──▶ OutputParser (if the family has one) ──▶ StopScanner ──▶ Part

Stop strings are looked for in the visible text alone. A token belongs to the part that its first
letter, or the marker that this is of, belongs to: so it is told with the part, not before it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.parsers.pieces import Kind, OutputParser, Piece
from slipstream.engine.protocol import ToolCall
from slipstream.engine.stops import StopScanner


class Part(NamedTuple):
    """Some more of an answer: one of the three, or tokens of which nothing is shown.

    Args:
        num_tokens: Of the answer's tokens the next so many; the parts add up to all.
        is_reasoning: These are reasoning.
    """

    text: str = ""
    reasoning: str = ""
    tool_call: ToolCall | None = None
    num_tokens: int = 0
    is_reasoning: bool = False


class AnswerText:
    """One answer.

    Args:
        parser: None where all of the answer is text.
        new_call_id: Names each tool call.
    """

    __slots__ = (
        "_detokenizer",
        "_is_plain",
        "_kind",
        "_new_call_id",
        "_num_fed",
        "_num_silent",
        "_num_told",
        "_parser",
        "_starts",
        "_stops",
        "num_calls",
        "num_reasoning",
        "stopped_by",
    )

    def __init__(
        self,
        detokenizer: Detokenizer,
        stops: StopScanner,
        parser: OutputParser | None,
        new_call_id: Callable[[], str],
    ) -> None:
        self._detokenizer, self._stops, self._parser = detokenizer, stops, parser
        self._new_call_id = new_call_id
        self._is_plain = parser is None and not stops.has_stops  # each letter is shown at once
        self._starts: deque[int] = deque()  # where the tokens begin that belong nowhere yet
        self._num_fed = self._num_told = 0  # letters, of the text before anything parted it
        self._num_silent = 0  # tokens of one kind that wait for something to be shown of it
        self._kind: Kind = "text"  # of these
        self.stopped_by: str | None = None  # a stop string was found: nothing more is shown
        self.num_calls = 0
        self.num_reasoning = 0  # tokens so far that were reasoning, their markers included

    @property
    def is_stopped(self) -> bool:
        """Whether a stop string has ended the answer."""
        return self.stopped_by is not None

    def feed(self, token_id: int) -> list[Part]:
        """Add a token; return what may be shown now."""
        text = self._detokenizer.feed(token_id)
        if self._is_plain:
            self._num_silent += 1
            return [self._part(text=text)] if text else []
        self._starts.append(self._num_fed)
        self._num_fed += len(text)
        if not text:
            return []
        if self._parser is not None:
            return list(self._show(self._parser.feed(text)))
        self._num_told += len(text)
        return list(self._show_text(text))

    def close(self) -> list[Part]:
        """Return what was held back: the answer is over."""
        parts: list[Part] = []
        if self._parser is not None and not self.is_stopped:
            parts += self._show(self._parser.flush())
        if not self.is_stopped and (held := self._stops.flush()):
            self._count(self._num_told)
            parts.append(self._part(text=held))
        is_thought = self._parser is not None and self._parser.is_reasoning and not self.is_stopped
        parts += self._turn("reasoning" if is_thought else "text")
        self._count(self._num_fed + 1)
        return [*parts, self._part()] if self._num_silent else parts

    def fork(self) -> "AnswerText":
        """Return the same for another answer to the same prompt; none was begun."""
        parser = self._parser.fork() if self._parser is not None else None
        return AnswerText(self._detokenizer.fork(), self._stops.fork(), parser, self._new_call_id)

    def _show(self, pieces: Iterable[Piece]) -> Iterator[Part]:
        for kind, text, name, num_letters in pieces:
            if self.is_stopped:
                return
            self._num_told += num_letters
            if kind == "tool" and (held := self._stops.flush()):
                self._count(self._num_told - num_letters)
                yield self._part(text=held)
            yield from self._turn(kind)
            if kind == "text":
                yield from self._show_text(text)
                continue
            self._count(self._num_told)
            if kind == "tool":
                self.num_calls += 1
                yield self._part(tool_call=ToolCall(self._new_call_id(), name, text))
            elif text:
                yield self._part(reasoning=text)

    def _show_text(self, text: str) -> Iterator[Part]:
        text, self.stopped_by = self._stops.feed(text)
        self._count(self._num_told - self._stops.num_held)
        if text:
            yield self._part(text=text)

    def _turn(self, kind: Kind) -> Iterator[Part]:
        """Go over to a kind; tell of tokens that showed nothing before that."""
        if kind != self._kind:
            if self._num_silent:
                yield self._part()
            self._kind = kind

    def _count(self, end: int) -> None:
        """Let the tokens that begin before a letter belong to what is shown next."""
        num_silent = self._num_silent
        while self._starts and self._starts[0] < end:
            self._starts.popleft()
            self._num_silent += 1
        if self._kind == "reasoning":
            self.num_reasoning += self._num_silent - num_silent

    def _part(
        self, *, text: str = "", reasoning: str = "", tool_call: ToolCall | None = None
    ) -> Part:
        num_tokens, self._num_silent = self._num_silent, 0
        return Part(text, reasoning, tool_call, num_tokens, self._kind == "reasoning")


def merged(parts: Iterable[Part]) -> list[Part]:
    """Join neighbours of one kind."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last is not None and _is_alike(last, part):
            joined[-1] = Part(
                last.text + part.text,
                last.reasoning + part.reasoning,
                None,
                last.num_tokens + part.num_tokens,
                part.is_reasoning,
            )
        else:
            joined.append(part)
    return joined


def _is_alike(one: Part, other: Part) -> bool:
    is_call = one.tool_call is not None or other.tool_call is not None
    return not is_call and one.is_reasoning == other.is_reasoning
