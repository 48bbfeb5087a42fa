"""The models that this gateway runs itself: which are installed, started and well, and how busy.

A configured model that is not installed, or damaged, is no reason not to start: other targets do
not need it. A request for it says what to do.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from slipstream.call import Call, Frames
from slipstream.choice import Deadlines
from slipstream.engine.protocol import Stats
from slipstream.engine.settings import EngineSettings
from slipstream.engine.weights.manifest import ModelFacts
from slipstream.engine.weights.store import Store
from slipstream.errors import Broken, LoadFailed
from slipstream.upstream.local import LocalModel, serve_local
from slipstream.wire.talk.asking import Asked

_logger = logging.getLogger(__name__)

_SAMPLE_EVERY_S: Final = 1.0  # a probe costs each side some 50 µs
_SAMPLE_LIMIT_S: Final = 0.5  # what answers later is left out until it does


class Missing(NamedTuple):
    """Why a configured model cannot run: for the health endpoint, and for who asks for it."""

    state: str
    message: str


class ServedModels:
    """The leaf for every model that we run, and what the health endpoint says of them."""

    def __init__(
        self,
        models: dict[str, LocalModel],
        missing: dict[str, Missing],
        windows: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Take the models that can run, why the others cannot, and what weights were trained for.

        Args:
            windows: Tokens, by model: no more than these, whatever the engine has room for.
        """
        self._models = models
        self._missing = missing
        self._windows = windows
        self._serve = serve_local(models)
        self._figures: dict[str, Stats] = {}

    async def __call__(self, call: Call) -> Frames:
        """Answer with the model that the call's attempt names.

        Raises:
            LoadFailed: From the iteration: it is not installed, or damaged.
        """
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        self._check(attempt.target.model)
        async with aclosing(self._serve(call)) as frames:
            async for frame in frames:
                yield frame

    async def count(self, name: str, asked: Asked, deadlines: Deadlines) -> int:
        """Return how many tokens a conversation has for a model; see LocalModel."""
        self._check(name)
        return await self._models[name].count(asked, deadlines)

    def _check(self, name: str) -> None:
        if name in self._missing:
            raise LoadFailed(self._missing[name].message)

    def is_installed(self, name: str) -> bool:
        """Return whether a configured model could answer."""
        return name in self._models

    def context_tokens(self, name: str) -> int | None:
        """Return how much a model reads and writes together, at most; None where nobody knows.

        While it does not run, that is what its weights were trained for.
        """
        model = self._models.get(name)
        if model is not None and model.ready:
            return model.ready.context_tokens
        return self._windows.get(name)

    def kind(self, name: str) -> str | None:
        """Return what a model is for, `chat` or `embeddings`; None while it does not run."""
        model = self._models.get(name)
        return model.ready.kind if model is not None and model.ready else None

    def reasons(self, name: str) -> bool:
        """Return whether a model that runs thinks before it answers."""
        model = self._models.get(name)
        return model is not None and model.ready is not None and model.ready.reasons

    def health(self) -> dict[str, object]:
        """Return the state of each model, and under `problems` why one cannot answer.

        A state is ready, starting, idle, failed, not installed or damaged.
        """
        states = {name: model.state for name, model in self._models.items()}
        reasons = {name: m.failure.message for name, m in self._models.items() if m.failure}
        missing = dict(sorted(self._missing.items()))
        problems = reasons | {name: m.message for name, m in missing.items()}
        said: dict[str, object] = {"models": states | {n: m.state for n, m in missing.items()}}
        return said | {"problems": problems} if problems else said

    def figures(self) -> dict[str, Stats]:
        """Return what each engine that runs did so far, as it said within the last second or so."""
        return {
            n: self._figures[n] for n, m in self._models.items() if m.ready and n in self._figures
        }

    async def start(self) -> None:
        """Start the processes of the models that can run; say why the others cannot."""
        for missing in self._missing.values():
            _logger.warning("%s", missing.message)
        for model in self._models.values():
            await model.start()

    async def stop(self) -> None:
        """End them."""
        await asyncio.gather(*(model.stop() for model in self._models.values()))

    async def sample(self) -> None:
        """Keep `figures` fresh until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, model in self._models.items():
                group.create_task(_sample(name, model, self._figures))


async def _sample(name: str, model: LocalModel, figures: dict[str, Stats]) -> None:
    while True:
        probe = asyncio.ensure_future(model.stats())
        try:
            await asyncio.wait({probe}, timeout=_SAMPLE_LIMIT_S)
            if not probe.done():
                figures.pop(name, None)
            figures[name] = await probe  # one probe at a time, however long it takes
        except Broken:
            figures.pop(name, None)
        finally:
            probe.cancel()
        await asyncio.sleep(_SAMPLE_EVERY_S)


@asynccontextmanager
async def serving_models(
    engines: Mapping[str, EngineSettings], home: Path
) -> AsyncIterator[ServedModels]:
    """Start the processes of the installed models; end them with the context."""
    served = find_models(engines, home)
    sampling = asyncio.create_task(served.sample())
    try:
        await served.start()
        yield served
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        await served.stop()


def find_models(engines: Mapping[str, EngineSettings], home: Path) -> ServedModels:
    """Return the configured models, none of them started."""
    store = Store(home)
    models: dict[str, LocalModel] = {}
    missing: dict[str, Missing] = {}
    windows: dict[str, int] = {}
    for name, settings in engines.items():
        facts = _facts(store, name)
        if isinstance(facts, Missing):
            missing[name] = facts
        else:
            models[name] = LocalModel(name, store.folder(name), settings)
            windows[name] = facts.context_tokens
    return ServedModels(models, missing, windows)


def _facts(store: Store, name: str) -> ModelFacts | Missing:
    """Return the facts of a model, or why it cannot run."""
    try:
        if (found := store.find(name)) is not None:
            return found
    except LoadFailed as error:
        return Missing("damaged", f"the model '{name}' cannot be used: {error.message}")
    hint = f"run `slipstream pull {name}`"
    return Missing("not installed", f"the model '{name}' is not installed: {hint}")
