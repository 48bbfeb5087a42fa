"""A gateway with the Files and Batches API on a socket, two keys, and answers by a test."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from slipstream.batches.run import Runner
from slipstream.batches.store import Store
from slipstream.server.batches import BatchesApi
from slipstream.server.files import FilesApi
from slipstream.server.gateway import Gateway
from tests.batches.world import Answers, running, store_in
from tests.flows.raw import Answer, ask, encode
from tests.server.asking import gateway_of, listening, whole

KEYS = {"sk-a": "key-a", "sk-b": "key-b"}


@dataclass
class House:
    """What a test has at hand."""

    url: str
    folder: Path
    store: Store
    runner: Runner
    answers: Answers

    def client(self, key: str = "sk-a", **options: Any) -> openai.AsyncOpenAI:
        """Return the official SDK, which retries nothing and believes nothing."""
        return openai.AsyncOpenAI(
            api_key=key,
            base_url=f"{self.url}/v1",
            max_retries=0,
            _strict_response_validation=True,
            **options,
        )

    async def ask(
        self, method: str, path: str, body: bytes = b"", key: str | None = "sk-a"
    ) -> Answer:
        """Send a request that no SDK would."""
        return await ask(self.url, encode(method, path, key, body))

    async def post_form(self, body: bytes, content_type: str) -> Answer:
        """Post a form as it stands."""
        head = encode("POST", "/v1/files", "sk-a", body)
        return await ask(self.url, head.replace(b"\r\n", type_header(content_type), 1))


def type_header(content_type: str) -> bytes:
    """Return a header between the ends of two lines."""
    return b"\r\ncontent-type: " + content_type.encode() + b"\r\n"


def gateway_with(store: Store, runner: Runner) -> Gateway:
    """Return a gateway that answers for a store and a runner."""
    files, batches = FilesApi(store, KEYS.get), BatchesApi(store, runner, KEYS.get)
    more = files.endpoints() | batches.endpoints()
    return gateway_of(whole(), find_key=KEYS.get, more=more)


@asynccontextmanager
async def house_in(
    folder: Path,
    answers: Answers | None = None,
    clock: Callable[[], float] | None = None,
    **options: Any,
) -> AsyncIterator[House]:
    """Open a house; `options` are the store's."""
    store, answers = store_in(folder, clock, **options), answers or Answers()
    async with (
        running(store, answers) as runner,
        listening(gateway_with(store, runner)) as url,
    ):
        yield House(url, folder, store, runner, answers)
