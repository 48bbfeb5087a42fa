"""An answer as its reader sees it: status, headers, and a body to read whole or piece by piece."""

from typing import Final

from slipstream.upstream.http.exchange import Exchange, Headers

LEAVE_S: Final = 0.25  # a last chunk follows the last event in milliseconds, or there is none


class HttpResponse:
    """An answer whose head has arrived. Whoever opened it closes it; one coroutine reads it.

    When the body has arrived to its end, the connection goes back to the pool by itself; until
    then `close`, a failed read and a cancelled read abort the connection at once.
    """

    __slots__ = ("_exchange", "_max_body_bytes")

    def __init__(self, exchange: Exchange, max_body_bytes: int) -> None:
        self._exchange = exchange
        self._max_body_bytes = max_body_bytes

    def __repr__(self) -> str:
        return f"HttpResponse({self.status})"

    @property
    def status(self) -> int:
        """The final status; a 1xx is never seen."""
        return self._exchange.status

    @property
    def headers(self) -> Headers:
        """All headers in the order of arrival, names in lower case."""
        return self._exchange.headers

    @property
    def trailers(self) -> Headers:
        """Headers after a chunked body; empty until the end was read."""
        return self._exchange.trailers

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header by its lower-case name; of repeated ones the last."""
        return self._exchange.fields.get(name)

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            Broken: It has more bytes than the bound, or its framing is wrong.
            StreamCut: The connection ended before the body did.
            TimedOut: first_token, idle or total.
        """
        return await self._exchange.read_whole(self._max_body_bytes)

    def chunks(self) -> "Chunks":
        """Iterate over the body as it arrives: what is there is handed on, however small.

        The iteration raises as `read` does, after it has handed out all that came before.
        """
        return Chunks(self._exchange)

    def expect_meaning(self) -> None:
        """Count bytes that say nothing as silence: first_token goes on until `note_meaning`."""
        self._exchange.is_silent = True

    def note_meaning(self) -> None:
        """End the phase first_token: the answer has begun to say something."""
        self._exchange.is_silent = False

    def leave(self) -> None:
        """Be done with the answer, whose end is near: the connection is kept if it comes soon.

        `close` does nothing after this. Bytes that still come are not looked at.
        """
        self._exchange.leave(LEAVE_S)

    def close(self) -> None:
        """Be done with the answer, now; may be called at any time and more than once."""
        self._exchange.close()


class Chunks:
    """The pieces of one body; `aclose` aborts what has not arrived."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> bytes:
        data = await self._exchange.next_chunk()
        if data:
            return data
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the answer, so that `contextlib.aclosing` fits."""
        self._exchange.close()
