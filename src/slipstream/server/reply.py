"""Sending whole answers, and the headers that every answer carries."""

from collections.abc import Iterable
from urllib.parse import quote

from slipstream.call import Receipt
from slipstream.ledger.cost import usd_text
from slipstream.server.asgi import Header, Send

JSON: Header = (b"content-type", b"application/json")
_MAX_CHANGES_CHARS = 1000  # servers in between refuse heads of more than 8,000 or so
TEXT: Header = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


async def send_whole(send: Send, status: int, body: bytes, headers: Iterable[Header]) -> None:
    """Send an answer in one piece."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def receipt_headers(receipt: Receipt) -> list[Header]:
    """Return the headers that say who served an answer, at which attempt, for how much."""
    headers = [
        (b"x-slipstream-target", header_text(receipt.target.name)),
        (b"x-slipstream-attempts", b"%d" % receipt.num_attempts),
    ]
    if receipt.cost_usd_pico is not None:
        headers.append((b"x-slipstream-cost-usd", usd_text(receipt.cost_usd_pico).encode()))
    return headers


def changes_header(changes: Iterable[str]) -> Header:
    """Return the header that names what of a request its target got otherwise than it was sent."""
    text = ", ".join(changes)
    if len(text) > _MAX_CHANGES_CHARS:
        text = f"{text[:_MAX_CHANGES_CHARS]}..."
    return (b"x-slipstream-changed", header_text(text))


def header_text(text: str) -> bytes:
    """Return a name as a header may hold it: what is no printable ASCII is percent-encoded."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return quote(text, safe="/:@ ").encode()
