"""The leaf for models that we run: a request in, an answer from the model's own process out.

    Call ── wire ──▶ Generate ── socket ──▶ engine        (slipstream.engine.child)
    Frame ◀── wire ── Delta, Finished ◀── socket ──┘

A request whose process ends fails; until the first of its text has reached the client, another
target may be tried. A request that nobody waits for any more is cancelled at once.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Final

from slipstream.call import Call, Dialect, Frames, Serve
from slipstream.choice import Attempt, Deadlines
from slipstream.engine.protocol import Embedded, Generate, Ready, Stats
from slipstream.engine.settings import EngineSettings
from slipstream.errors import Broken, LoadFailed, TimedOut, UnknownModel, Unsupported
from slipstream.upstream.local_cerebras import Watch, answer_cerebras, to_cerebras_generate
from slipstream.upstream.local_cerebras_completions import answer_cerebras_completions
from slipstream.upstream.local_chat import plain_frames, queued, stream_frames, to_generate
from slipstream.upstream.local_client import Answer, EngineClient
from slipstream.upstream.local_completions import Send, plain_completions, stream_completions
from slipstream.upstream.local_embeddings import answer_embeddings
from slipstream.upstream.local_process import EngineProcess, State
from slipstream.upstream.local_talk import answer_talk, count_talk
from slipstream.upstream.local_waits import Waits
from slipstream.wire.cerebras.completions_request import CerebrasCompletions
from slipstream.wire.cerebras.request import CerebrasRequest
from slipstream.wire.chat_answer import ChatAnswer
from slipstream.wire.chat_request import parse_chat_request
from slipstream.wire.completions_answer import CompletionAnswer
from slipstream.wire.completions_request import parse_completions
from slipstream.wire.talk.asking import Asked

_PATHS: Final = {"chat": "/v1/chat/completions", "embeddings": "/v1/embeddings"}


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
        self._leaves: Final[dict[Dialect, Serve]] = {
            Dialect.OPENAI_CHAT: self._chat,
            Dialect.OPENAI_EMBEDDINGS: self._embeddings,
            Dialect.OPENAI_COMPLETIONS: self._completions,
            Dialect.CEREBRAS_CHAT: self._cerebras_chat,
            Dialect.CEREBRAS_COMPLETIONS: self._cerebras_completions,
            Dialect.ANTHROPIC_MESSAGES: self._talk,
            Dialect.OPENAI_RESPONSES: self._talk,
        }

    @property
    def ready(self) -> Ready | None:
        """What the process said of the model; None while it does not answer."""
        client = self._process.client
        return client.ready if client is not None else None

    @property
    def state(self) -> State:
        """What a request would meet; idle: the next one starts the process."""
        return self._process.state

    @property
    def failure(self) -> LoadFailed | None:
        """Why it will never answer."""
        return self._process.failure

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
            with self._process.used():
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
            Broken: The process is not there, or its model is not loaded.
        """
        client = self._process.client
        if client is None or client.ready is None:
            raise Broken("the model's process is not running")
        return await client.probe()

    def __call__(self, call: Call) -> Frames:
        """Answer the call; yield the frames of its dialect.

        Raises:
            BadRequest: From the iteration, like all: the body, or the model's template.
            EngineError: The model cannot be loaded, or the request does not fit it.
            Overloaded: The engine's queue is full.
            Unsupported: The model does something else.
            UpstreamError: The process ended, or a deadline passed.
        """
        return self._leaves[call.dialect](call)

    async def _chat(self, call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        asked = parse_chat_request(call.body)
        waits = Waits(attempt)
        client, ready = await self._reach("chat", waits)
        answer = client.generate(queued(to_generate(asked, tenant=call.key_id), call))
        head = ChatAnswer(
            answer_id=f"chatcmpl-{call.call_id}",
            model=call.model,
            created_s=int(self._wall_s()),
            fingerprint=ready.fingerprint,
            num_choices=asked.num_choices,
            wants_usage=call.wants_usage,
            wants_logprobs=asked.num_logprobs is not None,
        )
        answered = stream_frames if call.is_stream else plain_frames
        try:
            async with aclosing(answered(answer, head, waits)) as frames:
                async for frame in frames:
                    yield frame
        finally:
            answer.close()

    async def _talk(self, call: Call) -> Frames:
        answered = answer_talk(call, self._wall_s, partial(self._reach, "chat"))
        async with aclosing(answered) as frames:
            async for frame in frames:
                yield frame

    async def _cerebras_chat(self, call: Call) -> Frames:
        attempt, asked = call.attempt, call.asked
        assert attempt is not None, "dispatch aims every call"
        assert isinstance(asked, CerebrasRequest), "it was read at the door"
        waits, watch = Waits(attempt), Watch(self._wall_s)
        request = to_cerebras_generate(asked, call.key_id)
        client, ready = await self._reach("chat", waits)
        answer = client.generate(queued(request, call))
        try:
            answered = answer_cerebras(call, asked, answer, ready, waits, watch)
            async with aclosing(answered) as frames:
                async for frame in frames:
                    yield frame
        finally:
            answer.close()

    async def _completions(self, call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        asked = parse_completions(call.body)
        _, ready = await self._reach("chat", Waits(attempt), "completions")
        head = CompletionAnswer(
            answer_id=f"cmpl-{call.call_id}",
            model=call.model,
            created_s=int(self._wall_s()),
            fingerprint=ready.fingerprint,
            wants_usage=call.wants_usage,
            wants_logprobs=asked.num_logprobs is not None,
        )
        answered = stream_completions if call.is_stream else plain_completions
        async with aclosing(answered(call, asked, head, self._sender(call, attempt))) as frames:
            async for frame in frames:
                yield frame

    async def _cerebras_completions(self, call: Call) -> Frames:
        attempt, asked = call.attempt, call.asked
        assert attempt is not None, "dispatch aims every call"
        assert isinstance(asked, CerebrasCompletions), "it was read at the door"
        watch = Watch(self._wall_s)
        _, ready = await self._reach("chat", Waits(attempt), "completions")
        send = self._sender(call, attempt)
        answered = answer_cerebras_completions(call, asked, ready, send, watch)
        async with aclosing(answered) as frames:
            async for frame in frames:
                yield frame

    def _sender(self, call: Call, attempt: Attempt) -> Send:
        """Return what hands each prompt's request to the engine."""

        async def send(request: Generate) -> Answer:
            client, _ = await self._reach("chat", Waits(attempt), "completions")
            return client.generate(queued(request, call))

        return send

    async def _embeddings(self, call: Call) -> Frames:
        yield await answer_embeddings(call, self.embed)

    async def embed(
        self, inputs: tuple[str | tuple[int, ...], ...], dimensions: int | None, attempt: Attempt
    ) -> Embedded:
        """Turn texts, or token ids, into vectors.

        Raises:
            BadRequest: The model makes no vectors of them.
            Unsupported: It makes none at all.
            EngineError: It cannot be loaded, or an input does not fit it.
            Overloaded: The engine's queue is full.
            UpstreamError: The process ended, or a deadline passed.
        """
        waits = Waits(attempt)
        client, _ = await self._reach("embeddings", waits)
        return await waits.bounded(client.embed(inputs, dimensions))

    async def count(self, asked: Asked, deadlines: Deadlines) -> int:
        """Return how many tokens a conversation has, as the model's template writes it.

        Raises:
            GatewayError: As an answer to it would, but that it may be too long.
        """
        return await count_talk(asked, deadlines, partial(self._reach, "chat"))

    async def _reach(
        self, kind: str, waits: Waits, offer: str | None = None
    ) -> tuple[EngineClient, Ready]:
        """Return the client of a process that answers, started if need be.

        Callers send their request before they await anything: what is sent keeps the process.
        """
        with self._process.used():
            client = await waits.bounded(self._process.launch())
            ready = await waits.bounded(client.wait_ready())
        if ready.kind != kind:
            raise Unsupported(
                f"The model '{self.name}' is for {ready.kind}, not for {offer or kind}: "
                f"it is asked at {_PATHS[ready.kind]}."
            )
        return client, ready
