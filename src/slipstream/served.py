"""The models that this gateway runs itself: which are installed, started and well.

A configured model that is not installed, or damaged, is no reason not to start: other targets do
not need it. A request for it says what to do.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from slipstream.call import Call, Frames
from slipstream.engine.settings import EngineSettings
from slipstream.engine.weights.store import Store
from slipstream.errors import LoadFailed
from slipstream.upstream.local import LocalModel, serve_local

_logger = logging.getLogger(__name__)


class Missing(NamedTuple):
    """Why a configured model cannot run: for the health endpoint, and for who asks for it."""

    state: str
    message: str


class ServedModels:
    """The leaf for every model that we run, and what the health endpoint says of them."""

    def __init__(self, models: dict[str, LocalModel], missing: dict[str, Missing]) -> None:
        """Take the models that can run, and why the others cannot."""
        self._models = models
        self._missing = missing
        self._serve = serve_local(models)

    async def __call__(self, call: Call) -> Frames:
        """Answer with the model that the call's attempt names.

        Raises:
            LoadFailed: From the iteration: it is not installed, or damaged.
        """
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        name = attempt.target.model
        if name in self._missing:
            raise LoadFailed(self._missing[name].message)
        async with aclosing(self._serve(call)) as frames:
            async for frame in frames:
                yield frame

    def is_installed(self, name: str) -> bool:
        """Return whether a configured model could answer."""
        return name in self._models

    def health(self) -> dict[str, object]:
        """Return the state of each model: ready, starting, not installed or damaged."""
        states = {n: "ready" if m.ready else "starting" for n, m in self._models.items()}
        return {"models": states | {n: m.state for n, m in sorted(self._missing.items())}}


@asynccontextmanager
async def serving_models(
    names: Iterable[str], home: Path, settings: EngineSettings
) -> AsyncIterator[ServedModels]:
    """Start the processes of the installed models; end them with the context."""
    store = Store(home)
    models: dict[str, LocalModel] = {}
    missing: dict[str, Missing] = {}
    for name in names:
        problem = _problem(store, name)
        if problem is None:
            models[name] = LocalModel(name, store.folder(name), settings)
        else:
            missing[name] = problem
            _logger.warning("%s", problem.message)
    try:
        for model in models.values():
            await model.start()
        yield ServedModels(models, missing)
    finally:
        for model in models.values():
            await model.stop()


def _problem(store: Store, name: str) -> Missing | None:
    """Return why a model cannot run; None if it can."""
    try:
        if store.find(name) is not None:
            return None
    except LoadFailed as error:
        return Missing("damaged", f"the model '{name}' cannot be used: {error.message}")
    hint = f"run `slipstream pull {name}`"
    return Missing("not installed", f"the model '{name}' is not installed: {hint}")
