"""Tests of slipstream.upstream.keyed: each attempt goes out with its own key, over one client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from slipstream.call import Call, Dialect, Secret
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.keyed import Keyed, first_of, labels_of, leaf_of, relays_of
from slipstream.upstream.relay import Endpoint, Relay

BODY = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
    b'"completion_tokens":1,"total_tokens":2}}'
)


class Provider:
    """Answers everything alike; remembers the key of each request and counts connections."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.num_connections = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its client leaves."""
        self.num_connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                fields = {name.lower(): value for name, value in lines.items()}
                await reader.readexactly(int(fields[b"content-length"]))
                self.keys.append(fields[b"authorization"].decode().removeprefix("Bearer "))
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
                )
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def keyed(provider: Provider, *keys: str) -> AsyncIterator[Keyed]:
    """Give the relays of a provider with these keys."""
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = HttpClient(HttpSettings(), environ={})
    first, *more = map(Secret, keys)
    endpoint = Endpoint(
        name="lab", base_url=f"http://127.0.0.1:{port}/v1", key=first, more_keys=tuple(more)
    )
    try:
        yield relays_of(endpoint, client, now=lambda: datetime.now(UTC))
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


def call_with(credential: str) -> Call:
    """Return a call that is aimed at a target with this credential."""
    attempt = Attempt(
        attempt_id="a-1",
        number=1,
        route="r",
        target=Target("lab", "m", credential),
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=asyncio.get_running_loop().time() + 20.0,
    )
    return Call(
        call_id="a",
        dialect=Dialect.OPENAI_CHAT,
        body=b'{"model":"lab/m","messages":[{"role":"user","content":"hi"}]}',
        model="lab/m",
        key_id="key-1",
        attempt=attempt,
    )


@pytest.mark.parametrize(
    ("credentials", "keys"),
    [
        (("1", "2", "3", "1"), ["sk-a", "sk-b", "sk-c", "sk-a"]),
        (("default", "9"), ["sk-a", "sk-a"]),
    ],
)
async def test_attempt_goes_out_with_its_own_key(
    credentials: tuple[str, ...], keys: list[str]
) -> None:
    """All over the same connection; a label that is none is the preferred key's."""
    provider = Provider()
    async with asyncio.timeout(20), keyed(provider, "sk-a", "sk-b", "sk-c") as relays:
        serve = leaf_of(relays)
        for credential in credentials:
            assert [frame async for frame in serve(call_with(credential))]
    assert provider.keys == keys
    assert provider.num_connections == 1


async def test_provider_with_one_key_is_its_relay() -> None:
    """A single key costs nothing, and is called what it always was."""
    async with keyed(Provider(), "sk-a") as relays:
        assert list(relays) == ["default"]
        assert leaf_of(relays) is first_of(relays)
        assert isinstance(first_of(relays), Relay)


async def test_lists_and_counts_are_asked_with_the_preferred_key() -> None:
    """The first of several."""
    async with keyed(Provider(), "sk-a", "sk-b") as relays:
        assert first_of(relays) is relays["1"]


def test_labels_are_numbers_and_no_record_shows_a_key() -> None:
    """Reports name a key by its place; the key itself is in no repr."""
    keys = tuple(Secret(f"sk-secret-{n}") for n in range(3))
    endpoint = Endpoint(name="lab", base_url="http://h/v1", key=keys[0], more_keys=keys[1:])
    assert labels_of(endpoint) == ("1", "2", "3")
    assert labels_of(Endpoint(name="lab", base_url="http://h/v1")) == ("default",)
    assert "sk-secret" not in f"{endpoint!r} {endpoint}"
