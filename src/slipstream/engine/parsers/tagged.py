"""Parts answers in which markers stand around reasoning and calls, as most families write them.

    start ──▶ reasoning ──▶ text ◀──▶ call        reasoning: at the very beginning only

White space around reasoning and calls belongs to neither, nor to the text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.calls import CallForm
from slipstream.engine.parsers.pieces import Piece
from slipstream.engine.stops import num_begun

_NO_TOOLS: Final[tuple[Tool, ...]] = ()
_State = Literal["begin", "reasoning", "talk", "call", "pass"]


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The markers around reasoning."""

    begin: str
    end: str


class TaggedParser:
    """One answer.

    Args:
        reasoning: None where it stays part of the text.
        calls: None where no tools were offered: calls stay part of the text.
        is_open: The prompt ends behind the marker that begins reasoning.
    """

    __slots__ = (
        "_calls",
        "_drops_space",
        "_from",
        "_head",
        "_held",
        "_is_open",
        "_num_passed",
        "_reasoning",
        "_state",
        "_tools",
    )

    def __init__(
        self,
        reasoning: Reasoning | None,
        calls: CallForm | None,
        tools: Sequence[Tool] = _NO_TOOLS,
        *,
        is_open: bool = False,
    ) -> None:
        assert reasoning is not None or not is_open, "what is open has an end"
        self._reasoning, self._calls = reasoning, calls
        self._tools, self._is_open = tools, is_open
        self._held = ""
        self._num_passed = 0  # white space that was dropped in front of the next piece
        self._drops_space = is_open
        self._head = self._from = 0  # in a call: where its opener ends; what was searched
        self._state: _State = "reasoning" if is_open else "begin"

    @property
    def is_reasoning(self) -> bool:
        """Whether an answer that ends here ends inside its reasoning."""
        return self._state == "reasoning"

    def feed(self, text: str) -> list[Piece]:
        """Add the text of one token."""
        return self._part(text) if text else []

    def flush(self) -> list[Piece]:
        """Return what is held back."""
        held, self._held = self._held, ""
        num_letters = len(held)
        if self._state == "call":
            assert self._calls is not None, "a call has a form"
            calls = self._calls.read(held, self._tools) if self._calls.can_be_cut else None
            return self._measured(calls or [Piece("text", held)], num_letters)
        if self._drops_space:
            held = held.lstrip()
        if not held:
            return []
        kind: Literal["reasoning", "text"] = "reasoning" if self.is_reasoning else "text"
        return self._measured([Piece(kind, held)], num_letters)

    def fork(self) -> "TaggedParser":
        """Return a parser for another answer to the same prompt."""
        return TaggedParser(self._reasoning, self._calls, self._tools, is_open=self._is_open)

    def _part(self, text: str) -> list[Piece]:
        self._held += text
        pieces: list[Piece] = []
        before: tuple[_State, int] | None = None
        while self._held and before != (self._state, len(self._held)):
            before = self._state, len(self._held)
            if self._drops_space:
                self._held = self._held.lstrip()
                self._num_passed += before[1] - len(self._held)
                self._drops_space = not self._held
            num_held = len(self._held)
            found = list(_STEPS[self._state](self))
            pieces += self._measured(found, num_held - len(self._held))
        return pieces

    def _measured(self, pieces: list[Piece], num_letters: int) -> list[Piece]:
        """Return pieces that say how many letters they stand for: the first one for all."""
        if not num_letters:
            return pieces
        first = pieces[0] if pieces else Piece("reasoning", "")  # only its markers give no text
        num_letters += self._num_passed
        self._num_passed = 0
        return [first._replace(num_letters=num_letters), *pieces[1:]]

    def _begin(self) -> Iterator[Piece]:
        """Nothing but white space so far: reasoning or a call may begin."""
        said = self._held.lstrip()
        if not said:
            return
        reasoning, calls = self._reasoning, self._calls
        begins = (reasoning.begin,) if reasoning is not None else ()
        openers = calls.openers if calls is not None and calls.at_start else ()
        if reasoning is not None and said.startswith(reasoning.begin):
            self._held = said[len(reasoning.begin) :]
            self._drops_space, self._state = True, "reasoning"
        elif said.startswith(openers):
            self._open_call(len(self._held) - len(said), openers)
        elif not any(each.startswith(said) for each in (*begins, *openers)):
            self._state = "pass" if openers or calls is None else "talk"
        yield from ()

    def _reason(self) -> Iterator[Piece]:
        assert self._reasoning is not None, "that state has a form"
        held, end = self._held, self._reasoning.end
        at = held.find(end)
        if at >= 0:
            said = held[:at].rstrip()
            self._held = held[at + len(end) :]
            self._drops_space = True
            self._reasoning = None
            self._state = "begin"
        else:
            said = held[: len(held) - num_begun(held, end)].rstrip()
            self._held = held[len(said) :]
        if said:
            yield Piece("reasoning", said)

    def _pass(self) -> Iterator[Piece]:
        """All is text from here on."""
        held, self._held = self._held, ""
        if held:
            yield Piece("text", held)

    def _talk(self) -> Iterator[Piece]:
        """Text, and a call may come anywhere."""
        assert self._calls is not None, "else all is text"
        held, openers = self._held, self._calls.openers
        found = [at for opener in openers if (at := held.find(opener)) >= 0]
        if found:
            said = held[: min(found)].rstrip()
            self._open_call(min(found) - len(said), openers, len(said))
        else:
            num_held = max(num_begun(held, opener) for opener in openers)
            said = held[: len(held) - num_held].rstrip()
        self._held = held[len(said) :]
        if said:
            yield Piece("text", said)

    def _open_call(self, num_space: int, openers: tuple[str, ...], start: int = 0) -> None:
        """Go on in a call; held is white space, then an opener, once `start` letters are gone."""
        opener = next(o for o in openers if self._held.startswith(o, start + num_space))
        self._head = self._from = num_space + len(opener)
        self._state = "call"

    def _call(self) -> Iterator[Piece]:
        form, held = self._calls, self._held
        assert form is not None, "a call has a form"
        first = held[self._head :].lstrip()[:1]
        if form.first and first and first not in form.first:
            yield from self._give_back(self._head)
            return
        if form.closer is None:
            return
        while (at := held.find(form.closer, self._from)) >= 0:
            end = at + len(form.closer)
            calls = form.read(held[:end], self._tools)
            if calls is None and form.is_open(held[:at]):
                self._from = end
                continue
            if calls is not None:
                self._held = held[end:]
                self._drops_space, self._state = True, "talk"
                yield from calls
            else:
                again = max(held.rfind(opener, self._head, at) for opener in form.openers)
                yield from self._give_back(again if again >= 0 else end)
            return
        self._from = max(self._head, len(held) - len(form.closer) + 1)

    def _give_back(self, num_letters: int) -> Iterator[Piece]:
        """Show what looked like a call, and go on behind it."""
        said, self._held = self._held[:num_letters], self._held[num_letters:]
        self._state = "talk"
        yield Piece("text", said)


_STEPS: Final[dict[_State, Callable[[TaggedParser], Iterator[Piece]]]] = {
    "begin": TaggedParser._begin,
    "reasoning": TaggedParser._reason,
    "talk": TaggedParser._talk,
    "call": TaggedParser._call,
    "pass": TaggedParser._pass,
}
