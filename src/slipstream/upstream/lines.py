"""Where a provider's dialects are: the address and the headers of each, encoded once."""

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import quote

from slipstream import __version__
from slipstream.call import Dialect, Secret
from slipstream.catalog.providers import Spoken
from slipstream.upstream.http.messages import HttpRequest, Origin, encode_head

Headers = tuple[tuple[bytes, bytes], ...]

PATHS: Final = {
    Dialect.OPENAI_CHAT: b"/chat/completions",
    Dialect.CEREBRAS_CHAT: b"/chat/completions",
    Dialect.CEREBRAS_COMPLETIONS: b"/completions",
    Dialect.OPENAI_COMPLETIONS: b"/completions",
    Dialect.ANTHROPIC_MESSAGES: b"/messages",
    Dialect.OPENAI_RESPONSES: b"/responses",
    Dialect.OPENAI_COMPACTION: b"/responses/compact",
}

# The version whose requests may say how tokens are chosen; the newer one refuses that.
_OF_DIALECT: Final[dict[Dialect, Headers]] = {
    Dialect.ANTHROPIC_MESSAGES: ((b"anthropic-version", b"2023-06-01"),),
}
_CONSTANT: Final[Headers] = (
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
    (b"user-agent", f"slipstream/{__version__}".encode()),
)


class Line(NamedTuple):
    """One dialect of a provider.

    Args:
        target: From the model, and whether its answer is streamed, to the request's path.
        head: Encoded, where the path is always the same.
    """

    dialect: Dialect
    origin: Origin
    headers: Headers
    target: Callable[[str, bool], bytes]
    head: bytes

    def request(
        self, model: str, body: bytes, *, is_stream: bool, more: Headers = ()
    ) -> HttpRequest:
        """Return a request of this dialect.

        Args:
            more: Headers of the client's, in place of ours of the same name.
        """
        target, head = self.target(model, is_stream), self.head
        if more or not head:
            replaced = {name for name, _ in more}
            kept = tuple(pair for pair in self.headers if pair[0] not in replaced)
            head = encode_head(self.origin, b"POST", target, (*kept, *more))
        return HttpRequest(origin=self.origin, method=b"POST", target=target, head=head, body=body)


def line_of(spoken: Spoken, origin: Origin, base_path: str, key: Secret | None) -> Line:
    """Return the line of a dialect."""
    headers = headers_of(spoken, key)
    base = base_path.encode()
    if spoken.dialect is Dialect.GEMINI:
        return Line(
            spoken.dialect,
            origin,
            headers,
            lambda model, is_stream: base + _gemini(model, is_stream),
            b"",
        )
    target = base + PATHS[spoken.dialect]
    head = encode_head(origin, b"POST", target, headers)
    return Line(spoken.dialect, origin, headers, lambda model, is_stream: target, head)


def headers_of(spoken: Spoken, key: Secret | None) -> Headers:
    """Return the headers that every request in a dialect has."""
    headers = [*_CONSTANT, *_OF_DIALECT.get(spoken.dialect, ())]
    if key is not None:
        text = key.reveal().encode()
        for name in spoken.key_headers:
            headers.append((name.encode(), b"Bearer " + text if name == "authorization" else text))
    return tuple(headers)


def _gemini(model: str, is_stream: bool) -> bytes:
    action = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
    return f"/models/{quote(model.removeprefix('models/'), safe='')}:{action}".encode()
