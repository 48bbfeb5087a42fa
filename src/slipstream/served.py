"""The models that this gateway runs itself: which are installed, started and well.

A configured model that is not installed is no reason not to start: other targets do not need it.
A request for it says how to install it.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from slipstream.call import Call, Frames
from slipstream.engine.settings import EngineSettings
from slipstream.engine.weights.store import Store
from slipstream.errors import LoadFailed
from slipstream.upstream.local import LocalModel, serve_local

_logger = logging.getLogger(__name__)


class ServedModels:
    """The leaf for every model that we run, and what the health endpoint says of them."""

    def __init__(self, models: dict[str, LocalModel], missing: frozenset[str]) -> None:
        self._models = models
        self._missing = missing
        self._serve = serve_local(models)

    async def __call__(self, call: Call) -> Frames:
        """Answer with the model that the call's attempt names.

        Raises:
            LoadFailed: From the iteration: it is not installed.
        """
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        name = attempt.target.model
        if name in self._missing:
            raise LoadFailed(f"the model '{name}' is not installed: run `slipstream pull {name}`")
        async with aclosing(self._serve(call)) as frames:
            async for frame in frames:
                yield frame

    def is_installed(self, name: str) -> bool:
        """Return whether a configured model could answer."""
        return name in self._models

    def health(self) -> dict[str, object]:
        """Return the state of each model: ready, starting or not installed."""
        states = {n: "ready" if m.ready else "starting" for n, m in self._models.items()}
        return {"models": states | dict.fromkeys(sorted(self._missing), "not installed")}


@asynccontextmanager
async def serving_models(
    names: Iterable[str], home: Path, settings: EngineSettings
) -> AsyncIterator[ServedModels]:
    """Start the processes of the installed models; end them with the context."""
    store = Store(home)
    models: dict[str, LocalModel] = {}
    missing: set[str] = set()
    for name in names:
        if store.find(name) is not None:
            models[name] = LocalModel(name, store.folder(name), settings)
        else:
            missing.add(name)
            _logger.warning("model %s is not installed: run `slipstream pull %s`", name, name)
    try:
        for model in models.values():
            await model.start()
        yield ServedModels(models, frozenset(missing))
    finally:
        for model in models.values():
            await model.stop()
