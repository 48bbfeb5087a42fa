"""Parts answers in the harmony format of gpt-oss: messages, each in a channel.

    <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>
    └─ header ────────────┘└ body ┘

analysis is reasoning, final and commentary are text, and what is addressed to a function, with
` to=functions.NAME` in its header, is a call. Text without a header is text.
"""

import re
from collections.abc import Iterator
from typing import Final

from slipstream.engine.parsers.calls import read_object
from slipstream.engine.parsers.pieces import Kind, Piece
from slipstream.engine.stops import num_begun

MARKS: Final = (
    "<|start|>",
    "<|channel|>",
    "<|constrain|>",
    "<|message|>",
    "<|end|>",
    "<|call|>",
    "<|return|>",
)
_MARK: Final = re.compile("|".join(map(re.escape, MARKS)))
_ENDS: Final = frozenset({"<|end|>", "<|call|>", "<|return|>"})
_OPENS: Final = frozenset({"<|start|>", "<|channel|>"})
_RECIPIENT: Final = re.compile(r"\bto=(?P<name>[^\s<]+)")
_CHANNEL: Final = re.compile(r"<\|channel\|>\s*(?P<name>\w+)")
_HEADS: Final = ("to=", "assistant")  # with which a header may go on where no mark opened it


class HarmonyParser:
    """One answer; the prompt ends in the header of its first message.

    Args:
        parses_reasoning: Reasoning comes apart; else it is text.
        reads_calls: Calls come apart; else they are text.
    """

    __slots__ = (
        "_body",
        "_header",
        "_held",
        "_num_passed",
        "_parses_reasoning",
        "_reads_calls",
        "_said",
    )

    def __init__(self, *, parses_reasoning: bool = True, reads_calls: bool = True) -> None:
        self._parses_reasoning, self._reads_calls = parses_reasoning, reads_calls
        self._held = ""  # may still become a mark
        self._header = ""
        self._body: Kind | None = None  # None in a header
        self._said: list[str] = []  # of a call
        self._num_passed = 0  # letters of a header, or a call, that belong to the next piece

    @property
    def is_reasoning(self) -> bool:
        """Whether an answer that ends here ends inside its reasoning."""
        return self._body == "reasoning"

    def feed(self, text: str) -> list[Piece]:
        """Add the text of one token."""
        return [piece for piece in self._part(text) if piece.num_letters] if text else []

    def flush(self) -> list[Piece]:
        """Return what is held back; a call may lack its end, which ends the answer too."""
        held, self._held = self._held, ""
        pieces = [*self._say(held), *self._close()]
        if self._header and not _MARK.match(self._header):
            pieces.append(self._piece("text", self._header))
        return [piece for piece in pieces if piece.text]

    def fork(self) -> "HarmonyParser":
        """Return a parser for another answer to the same prompt."""
        return HarmonyParser(parses_reasoning=self._parses_reasoning, reads_calls=self._reads_calls)

    def _part(self, text: str) -> Iterator[Piece]:
        self._held += text
        while found := _MARK.search(self._held):
            said, self._held = self._held[: found.start()], self._held[found.end() :]
            yield from self._say(said)
            yield from self._pass(found[0])
        cut = len(self._held) - max(num_begun(self._held, mark) for mark in MARKS)
        said, self._held = self._held[:cut], self._held[cut:]
        yield from self._say(said)

    def _say(self, text: str) -> Iterator[Piece]:
        """Add text to the header, or the body, where it belongs."""
        self._num_passed += len(text)
        if self._body == "tool":
            self._said.append(text)
        elif self._body is not None:
            yield self._piece(self._body, text)
        else:
            self._header += text
            if _is_loose(self._header):
                loose, self._header, self._body = self._header, "", "text"
                yield self._piece("text", loose)

    def _piece(self, kind: Kind, text: str, name: str = "") -> Piece:
        """Return a piece that stands for all letters since the one before it."""
        num_letters, self._num_passed = self._num_passed, 0
        return Piece(kind, text, name, num_letters)

    def _pass(self, mark: str) -> Iterator[Piece]:
        if mark in _ENDS:
            self._num_passed += len(mark)
            yield from self._close()
            self._header = ""
        elif mark in _OPENS and self._body is not None:
            yield from self._close()
            self._num_passed += len(mark)
            self._header = mark
        elif self._body is not None:
            yield from self._say(mark)
        else:
            self._num_passed += len(mark)
            self._header += mark
            if mark == "<|message|>":
                self._body = self._kind()

    def _kind(self) -> Kind:
        if self._reads_calls and _RECIPIENT.search(self._header):
            return "tool"
        channels = _CHANNEL.findall(self._header)
        is_analysis = self._parses_reasoning and channels[-1:] == ["analysis"]
        return "reasoning" if is_analysis else "text"

    def _close(self) -> Iterator[Piece]:
        """End the body. A call that is none is shown as it is, with its header."""
        body, header = self._body, self._header
        if body is None:
            return
        self._body, self._header = None, ""
        if body != "tool":
            yield self._piece(body, "")
            return
        said = "".join(self._said)
        self._said.clear()
        recipient = _RECIPIENT.search(header)
        arguments = read_object(said or "{}")
        if recipient is None or arguments is None:
            yield self._piece("text", header.removeprefix("<|start|>assistant") + said)
        else:
            yield self._piece("tool", arguments, recipient["name"].removeprefix("functions."))


def _is_loose(header: str) -> bool:
    """Whether what stands where a header may be is none."""
    if _MARK.match(header):
        return False
    said = header.lstrip()
    return bool(said) and not any(said.startswith(h) or h.startswith(said) for h in _HEADS)
