"""The leaf for models that we run: a chat request in, an answer from the model's own process out.

    Call ── wire ──▶ Generate ── socket ──▶ engine        (slipstream.engine.child)
    Frame ◀── wire ── Delta, Finished ◀── socket ──┘

A request whose process ends fails; until the first of its text has reached the client, another
target may be tried. A request that nobody waits for any more is cancelled at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeVar

from slipstream.call import Attempt, Call, Frames, Serve, Usage
from slipstream.engine.protocol import (
    ChatMessage,
    Delta,
    Failed,
    Finished,
    Generate,
    Ready,
    Started,
    Stats,
)
from slipstream.engine.settings import EngineSettings
from slipstream.errors import (
    BadRequest,
    Broken,
    ContextTooLong,
    GatewayError,
    OutOfBlocks,
    Overloaded,
    Phase,
    TimedOut,
    UnknownModel,
)
from slipstream.upstream.local_client import Answer, AnswerPart
from slipstream.upstream.local_process import EngineProcess
from slipstream.wire.chat_answer import ChatAnswer
from slipstream.wire.chat_request import ChatRequest, parse_chat_request

T = TypeVar("T")

_ENGINE_ERRORS: Final = {str(kind.code): kind for kind in (ContextTooLong, OutOfBlocks)}


def serve_local(models: Mapping[str, "LocalModel"]) -> Serve:
    """Return the leaf that hands each call to the served model which its attempt names."""

    async def serve(call: Call) -> Frames:
        assert call.attempt is not None, "dispatch aims every call"
        model = models.get(call.attempt.target.model)
        if model is None:
            raise UnknownModel(f"no model '{call.attempt.target.model}' is served here")
        async with aclosing(model(call)) as frames:
            async for frame in frames:
                yield frame

    return serve


class LocalModel:
    """One served model, as a `Serve`. All methods on one event loop."""

    def __init__(
        self,
        name: str,
        model_dir: Path,
        settings: EngineSettings,
        *,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """Describe the model; nothing is started yet.

        Args:
            name: The served model's id.
            model_dir: A prepared model, as `slipstream pull` leaves it.
            wall_s: For the `created` of answers.
        """
        self.name: Final = name
        self._settings, self._wall_s = settings, wall_s
        self._process = EngineProcess(name, model_dir, settings)

    @property
    def ready(self) -> Ready | None:
        """What the process said of the model; None while it does not answer."""
        client = self._process.client
        return client.ready if client is not None else None

    @property
    def pid(self) -> int | None:
        """Of the model's process, while there is one."""
        return self._process.pid

    async def start(self) -> None:
        """Start the process, if it starts with the gateway; returns before the model is ready."""
        if self._settings.start == "startup":
            await self._process.launch()

    async def wait_ready(self, limit_s: float) -> Ready:
        """Start the process if need be and wait until the model answers.

        Raises:
            LoadFailed: It never will.
            TimedOut: It does not within `limit_s`.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await (await self._process.launch()).wait_ready()
        except TimeoutError as exc:
            raise TimedOut("connect", limit_s) from exc

    async def stop(self) -> None:
        """End the process and wait until it is gone; open answers fail."""
        await self._process.stop()

    async def stats(self) -> Stats:
        """Return the engine's figures; the caller bounds the wait.

        Raises:
            Broken: The process is not there.
        """
        client = self._process.client
        if client is None:
            raise Broken("the model's process is not running")
        return await client.probe()

    async def __call__(self, call: Call) -> Frames:
        """Answer the call; yield the frames of its dialect.

        Raises:
            BadRequest: From the iteration, like all: the body, or the model's template.
            EngineError: The model cannot be loaded, or the request does not fit it.
            Overloaded: The engine's queue is full.
            UpstreamError: The process ended, or a deadline passed.
        """
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        asked = parse_chat_request(call.body)
        waits = _Waits(attempt)
        client = await waits.bounded(self._process.launch())
        ready = await waits.bounded(client.wait_ready())
        answer = client.generate(_to_generate(asked))
        head = ChatAnswer(
            answer_id=f"chatcmpl-{call.call_id}",
            model=call.model,
            created_s=int(self._wall_s()),
            fingerprint=ready.fingerprint,
            wants_usage=call.wants_usage,
        )
        try:
            frames = _stream(answer, head, waits) if call.is_stream else _plain(answer, head, waits)
            async with aclosing(frames):
                async for frame in frames:
                    yield frame
        finally:
            answer.close()


async def _stream(answer: Answer, head: ChatAnswer, waits: "_Waits") -> Frames:
    prompt_tokens = cached_tokens = num_tokens = 0
    while True:
        match await waits.next(answer):
            case Started() as part:
                prompt_tokens, cached_tokens = part.prompt_tokens, part.cached_tokens
                yield head.open()
            case Delta() as part:
                num_tokens += part.num_tokens
                # With each piece what it has cost so far: an answer may be cut short after any.
                yield head.say(part.text, _usage(prompt_tokens, cached_tokens, num_tokens))
            case Finished() as part:
                for frame in head.close(part.reason, _total(part)):
                    yield frame
                return
            case Failed() as part:
                raise _error(part)


async def _plain(answer: Answer, head: ChatAnswer, waits: "_Waits") -> Frames:
    texts: list[str] = []
    while True:
        match await waits.next(answer):
            case Started():
                pass
            case Delta() as part:
                texts.append(part.text)
            case Finished() as part:
                yield head.whole("".join(texts), part.reason, _total(part))
                return
            case Failed() as part:
                raise _error(part)


class _Waits:
    """The deadlines of one attempt: each wait ends at the nearest of its phase and the total."""

    __slots__ = ("_attempt", "_loop", "_phase", "_until_s")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._loop = asyncio.get_running_loop()
        self._phase: Phase = "first_token"
        self._until_s = self._loop.time() + attempt.deadlines.first_token_s

    async def next(self, answer: Answer) -> AnswerPart:
        """Return the next part of an answer.

        Raises:
            TimedOut: In the phase `first_token` until the first text, then `idle`; or `total`.
        """
        part = await self.bounded(answer.next())
        if isinstance(part, Delta):
            self._phase = "idle"
        if self._phase == "idle":
            self._until_s = self._loop.time() + self._attempt.deadlines.idle_s
        return part

    async def bounded(self, wait: Awaitable[T]) -> T:
        """Wait within the deadlines of the present phase."""
        total_s = self._attempt.total_deadline_s
        try:
            async with asyncio.timeout_at(min(self._until_s, total_s)):
                return await wait
        except TimeoutError as exc:
            deadlines = self._attempt.deadlines
            if total_s <= self._until_s:
                raise TimedOut("total", deadlines.total_s) from exc
            is_idle = self._phase == "idle"
            limit_s = deadlines.idle_s if is_idle else deadlines.first_token_s
            raise TimedOut(self._phase, limit_s) from exc


def _to_generate(asked: ChatRequest) -> Generate:
    messages = [ChatMessage(turn.role, turn.content, turn.name) for turn in asked.turns]
    return Generate(
        request_id=0,  # the client gives it one
        messages=tuple(messages),
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        stop=asked.stop,
    )


def _total(part: Finished) -> Usage:
    return _usage(part.prompt_tokens, part.cached_tokens, part.completion_tokens)


def _usage(prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> Usage:
    return Usage(
        input_tokens=prompt_tokens - cached_tokens,
        cache_read_tokens=cached_tokens,
        output_tokens=completion_tokens,
    )


def _error(part: Failed) -> GatewayError:
    """Return the error that the engine named."""
    if part.code == Overloaded.code:
        return Overloaded(part.message, retry_after_s=part.retry_after_s or 1.0)
    kind = _ENGINE_ERRORS.get(part.code)
    return kind(part.message) if kind else BadRequest(part.message, param=part.param)
