"""A store in a folder of its own, inputs for it, and answers that a test writes down."""

import asyncio
import json
import random
import resource
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from slipstream.batches.records import (
    CHAT_ENDPOINT,
    Answered,
    Ask,
    BatchRecord,
    FileRecord,
    Status,
    new_batch,
)
from slipstream.batches.retries import Retries
from slipstream.batches.run import Runner
from slipstream.batches.store import Store

KEY = "key-a"
START_S = 1_790_000_000.0
DEADLINE_S = 20.0


class Clock:
    """A wall clock that a test moves."""

    def __init__(self, now_s: float = START_S) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def line_of(custom_id: str, **changes: Any) -> bytes:
    """Return an input line, its end included."""
    body = {"model": "m", "messages": [{"role": "user", "content": custom_id}]}
    line = {"custom_id": custom_id, "method": "POST", "url": CHAT_ENDPOINT, "body": body}
    return json.dumps({**line, **changes}).encode() + b"\n"


def input_of(num: int) -> bytes:
    """Return an input of so many requests: r0, r1, …"""
    return b"".join(line_of(f"r{i}") for i in range(num))


def store_in(folder: Path, clock: Callable[[], float] | None = None, **options: Any) -> Store:
    """Return an open store."""
    store = Store(folder, now_s=clock or Clock(), **options)
    store.open()
    return store


async def add_file(store: Store, content: bytes, key_id: str = KEY, **options: Any) -> FileRecord:
    """Upload a file."""
    async with store.files.receiving() as upload:
        await upload.write(content)
        return await store.files.take(upload, key_id, "in.jsonl", **options)


async def add_batch(store: Store, file: FileRecord, **options: Any) -> BatchRecord:
    """Make a batch of a file."""
    return await store.create(
        lambda now_ns: new_batch(
            key_id=file.key_id, input_file_id=file.id, created_at_ns=now_ns, **options
        )
    )


class Answers:
    """Answers lines as a test wants it, and remembers which it was asked.

    Args:
        answer: From the custom_id and the number of the try, the first being 1.
        num_free: After so many asks the others wait for `may_answer`; None: it is set.
    """

    def __init__(
        self,
        answer: Callable[[str, int], Answered] | None = None,
        num_free: int | None = None,
    ) -> None:
        self._answer = answer or (lambda custom_id, num_tries: good(custom_id))
        self.asks: list[Ask] = []
        self._num_tries: Counter[str] = Counter()
        self.num_open = self.most_open = 0
        self._num_free = num_free or 0
        self.may_answer = asyncio.Event()
        if num_free is None:
            self.may_answer.set()

    @property
    def asked(self) -> list[str]:
        """The custom_ids in the order of asking."""
        return [ask.custom_id for ask in self.asks]

    async def __call__(self, ask: Ask) -> Answered:
        self.asks.append(ask)
        number = len(self.asks)
        self._num_tries[ask.custom_id] += 1
        self.num_open += 1
        self.most_open = max(self.most_open, self.num_open)
        try:
            await asyncio.sleep(0)
            if number > self._num_free:
                await self.may_answer.wait()
            return self._answer(ask.custom_id, self._num_tries[ask.custom_id])
        finally:
            self.num_open -= 1


def good(custom_id: str) -> Answered:
    """Return an answer with the custom_id in it."""
    body = json.dumps({"object": "chat.completion", "said": custom_id}).encode()
    return Answered(status=200, request_id=f"req-{custom_id}", body=body)


def refused(status: int, retry_after_s: float | None = None) -> Answered:
    """Return an error answer."""
    body = b'{"error":{"message":"no"}}'
    return Answered(status=status, request_id="req", body=body, retry_after_s=retry_after_s)


@asynccontextmanager
async def running(store: Store, answers: Any, **options: Any) -> AsyncIterator[Runner]:
    """Run a store's batches, impatiently."""
    retries = Retries(max_tries=3, backoff_s=(0.001, 0.004), rng=random.Random(1))
    runner = Runner(store, answers, **{"retries": retries, "look_s": 0.01, **options})
    runner.start()
    try:
        yield runner
    finally:
        await runner.stop()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def ended(store: Store, batch_id: str) -> BatchRecord:
    """Wait for a batch's end."""
    await until(lambda: store.known(batch_id).is_final)
    return store.known(batch_id)


async def reached(store: Store, batch_id: str, status: Status) -> None:
    """Wait until a batch stands somewhere."""
    await until(lambda: store.known(batch_id).status is status)


def lines_in(store: Store, file_id: str) -> list[dict[str, Any]]:
    """Return the answers in a file; none if it is not there."""
    path = store.files.content(file_id)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def ids_in(store: Store, file_id: str) -> list[str]:
    """Return the custom_ids in a file, in the order of the alphabet."""
    return sorted(str(line["custom_id"]) for line in lines_in(store, file_id))


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """Have the kernel refuse to make a file longer than this."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def names_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder, in the order of the alphabet."""
    return sorted(path.name for path in folder.iterdir())
