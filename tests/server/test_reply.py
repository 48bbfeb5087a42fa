"""Whole answers and the headers that every answer carries."""

import pytest

from slipstream.call import Receipt
from slipstream.choice import Target
from slipstream.server.asgi import Message
from slipstream.server.reply import JSON, header_text, receipt_headers, send_whole


async def test_whole_answer_has_its_length() -> None:
    """Status and headers, then the body, and it ends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await send_whole(send, 404, b"abc", [JSON])
    start, body = sent
    assert start["status"] == 404
    assert start["headers"] == [JSON, (b"content-length", b"3")]
    assert body == {"type": "http.response.body", "body": b"abc", "more_body": False}


def test_receipt_headers_say_who_served_and_for_how_much() -> None:
    """A cost that is unknown has no header; one that is zero has."""
    receipt = Receipt(attempt_id="a", target=Target("lab", "x/y"), num_attempts=2)
    assert receipt_headers(receipt) == [
        (b"x-slipstream-target", b"lab/x/y"),
        (b"x-slipstream-attempts", b"2"),
    ]
    free = Receipt(attempt_id="a", target=Target("l", "m"), num_attempts=1, cost_usd_pico=0)
    assert receipt_headers(free)[-1][0] == b"x-slipstream-cost-usd"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lab/any-model:free@1", b"lab/any-model:free@1"),
        ("a\r\nset-cookie: x", b"a%0D%0Aset-cookie: x"),
        ("é\x00\x7f", b"%C3%A9%00%7F"),
        ("", b""),
    ],
)
def test_header_text_is_printable_ascii(text: str, shown: bytes) -> None:
    """A client's word cannot begin a header of its own."""
    assert header_text(text) == shown
