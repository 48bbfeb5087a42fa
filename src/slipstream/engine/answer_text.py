"""What a reader sees of one answer as its tokens come: text, reasoning, tool calls.

    token ──▶ Detokenizer ──▶ OutputParser (if the family has one) ──▶ StopScanner ──▶ Part

Stop strings are looked for in the visible text alone.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.parsers.pieces import OutputParser, Piece
from slipstream.engine.protocol import ToolCall
from slipstream.engine.stops import StopScanner


class Part(NamedTuple):
    """Some more of an answer: one of the three."""

    text: str = ""
    reasoning: str = ""
    tool_call: ToolCall | None = None


class AnswerText:
    """One answer.

    Args:
        parser: None where all of the answer is text.
        new_call_id: Names each tool call.
    """

    __slots__ = ("_detokenizer", "_new_call_id", "_parser", "_stops", "is_stopped", "num_calls")

    def __init__(
        self,
        detokenizer: Detokenizer,
        stops: StopScanner,
        parser: OutputParser | None,
        new_call_id: Callable[[], str],
    ) -> None:
        self._detokenizer, self._stops, self._parser = detokenizer, stops, parser
        self._new_call_id = new_call_id
        self.is_stopped = False  # a stop string was found: nothing more is shown
        self.num_calls = 0

    @property
    def num_reasoning(self) -> int:
        """Tokens so far that were reasoning."""
        return self._parser.num_reasoning_tokens if self._parser is not None else 0

    def feed(self, token_id: int) -> list[Part]:
        """Add a token; return what may be shown now."""
        text = self._detokenizer.feed(token_id)
        if self._parser is not None:
            return list(self._show(self._parser.feed(text)))
        return list(self._show_text(text)) if text else []

    def close(self) -> list[Part]:
        """Return what was held back: the answer is over."""
        if self.is_stopped:
            return []
        parts = list(self._show(self._parser.flush())) if self._parser is not None else []
        if not self.is_stopped and (held := self._stops.flush()):
            parts.append(Part(held))
        return parts

    def fork(self) -> "AnswerText":
        """Return the same for another answer to the same prompt; none was begun."""
        parser = self._parser.fork() if self._parser is not None else None
        return AnswerText(self._detokenizer.fork(), self._stops.fork(), parser, self._new_call_id)

    def _show(self, pieces: Iterable[Piece]) -> Iterator[Part]:
        for kind, text, name in pieces:
            if self.is_stopped:
                return
            if kind == "text":
                yield from self._show_text(text)
            elif kind == "reasoning":
                yield Part(reasoning=text)
            else:
                if held := self._stops.flush():
                    yield Part(held)
                self.num_calls += 1
                yield Part(tool_call=ToolCall(self._new_call_id(), name, text))

    def _show_text(self, text: str) -> Iterator[Part]:
        text, self.is_stopped = self._stops.feed(text)
        if text:
            yield Part(text)


def merged(parts: Iterable[Part]) -> list[Part]:
    """Join neighbours of one kind."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last is not None and last.text and part.text:
            joined[-1] = Part(last.text + part.text)
        elif last is not None and last.reasoning and part.reasoning:
            joined[-1] = Part(reasoning=last.reasoning + part.reasoning)
        else:
            joined.append(part)
    return joined
