"""Deltas that nobody has taken yet grow together: the one rule, for both ends of the socket.

What waits costs what its text and log probabilities cost, however many Deltas it came in, and
each is copied once.
"""

from io import StringIO

from slipstream.engine.protocol import Delta, Logprob


class DeltaPile:
    """Neighbours within one choice of one request, which are taken as one Delta."""

    __slots__ = ("_last", "_logprobs", "_num_tokens", "_text", "_tokens")

    def __init__(self, first: Delta) -> None:
        self._last = first
        self._text: StringIO | None = None  # from the second on
        self._num_tokens = first.num_tokens
        self._logprobs: list[Logprob] = []
        self._tokens: list[int] = []

    @property
    def choice(self) -> int:
        """Of which choice it is."""
        return self._last.choice

    def add(self, later: Delta) -> bool:
        """Take the choice's next Delta; False if it must stay on its own.

        A tool call does, and reasoning stays apart from text, so that tokens are of one kind.
        """
        last = self._last
        if (last.request_id, last.choice) != (later.request_id, later.choice):
            return False
        if last.finish is not None or last.tool_call is not None or later.tool_call is not None:
            return False
        if last.has_reasoned != later.has_reasoned:
            return False
        if self._text is None:
            self._text = StringIO()
            self._text.write(last.text or last.reasoning)
            self._logprobs += last.logprobs
            self._tokens += last.tokens
        self._text.write(later.text or later.reasoning)
        self._logprobs += later.logprobs
        self._tokens += later.tokens
        self._num_tokens += later.num_tokens
        self._last = later
        return True

    def take(self) -> Delta:
        """Return one Delta that says what all said, in order."""
        last = self._last
        if self._text is None:
            return last
        text = self._text.getvalue()
        return Delta(
            request_id=last.request_id,
            text="" if last.has_reasoned else text,
            num_tokens=self._num_tokens,
            choice=last.choice,
            reasoning=text if last.has_reasoned else "",
            logprobs=tuple(self._logprobs),
            finish=last.finish,
            is_reasoning=last.has_reasoned and not text,
            tokens=tuple(self._tokens),
            stop=last.stop,
        )
