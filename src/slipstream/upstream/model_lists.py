"""What the configured providers offer, as they list it themselves; asked for when somebody asks."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from slipstream.choice import Deadlines
from slipstream.errors import UpstreamError
from slipstream.upstream.relay import Relay
from slipstream.wire.models_in import ModelEntry

_logger = logging.getLogger(__name__)

FRESH_S = 600.0  # providers add models by the week, not by the minute
RETRY_S = 30.0  # after a provider did not answer
DEADLINES = Deadlines(connect_s=3.0, first_token_s=5.0, idle_s=5.0, total_s=8.0)


class ModelLists:
    """Keeps each provider's list for a while; one that does not answer is left out.

    Args:
        relays: By provider name.
        now_s: The event loop's clock.
    """

    def __init__(self, relays: Mapping[str, Relay], now_s: Callable[[], float]) -> None:
        self._relays = relays
        self._now_s = now_s
        self._lists: dict[str, list[ModelEntry]] = {}
        self._fresh_until_s: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def entries(self) -> list[tuple[str, ModelEntry]]:
        """Return (provider, model) pairs, providers in the order of the configuration."""
        async with self._lock:  # one look-up for callers who ask at once
            now_s = self._now_s()
            stale = [n for n in self._relays if self._fresh_until_s.get(n, 0.0) <= now_s]
            if stale:
                await self._refresh(stale)
        return [(name, model) for name in self._relays for model in self._lists.get(name, ())]

    async def _refresh(self, names: Iterable[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._ask(name))

    async def _ask(self, name: str) -> None:
        now_s = self._now_s()
        try:
            self._lists[name] = await self._relays[name].list_models(
                DEADLINES, now_s + DEADLINES.total_s
            )
            self._fresh_until_s[name] = now_s + FRESH_S
        except UpstreamError as error:
            self._fresh_until_s[name] = now_s + RETRY_S
            _logger.warning("no list of models from %s: %s", name, error.message)
