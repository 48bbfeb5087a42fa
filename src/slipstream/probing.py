"""Asks providers of what is left alone for their lists of models, so that no request has to.

A list that comes is a sign of health, not health: whatever it speaks for lets a single request look
at once. Nothing is asked of what is well, of quotas, and of our own models.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from slipstream.choice import Deadlines
from slipstream.errors import UpstreamError
from slipstream.routing.standings import BreakerStanding, Standing
from slipstream.upstream.keyed import Keyed

DEADLINES: Final = Deadlines(connect_s=3.0, first_token_s=5.0, idle_s=5.0, total_s=8.0)


class Wakeful(Protocol):
    """What knows how targets are; routing's Board is one."""

    def standings(self, now_s: float) -> list[Standing]:
        """Return what is known of each target."""

    def wake(self, scope: str, now_s: float) -> None:
        """Let a request look now whether what a scope names is well."""


class _Look(NamedTuple):
    """What one list would be a sign for: of one provider, asked with one of its keys.

    Args:
        scopes: Those that any list speaks for.
        models: By id, the scopes that a list with that model in it speaks for.
    """

    scopes: set[str]
    models: dict[str, str]


async def probing(
    board: Wakeful, providers: Mapping[str, Keyed], every_s: float, now_s: Callable[[], float]
) -> None:
    """Look every so often, until cancelled.

    Args:
        providers: The relays of each, by key.
        now_s: The board's clock.
    """
    while True:
        await asyncio.sleep(every_s)
        looks = looks_for(board.standings(now_s()), providers)
        async with asyncio.TaskGroup() as group:
            for (provider, label), look in looks.items():
                group.create_task(_look(board, providers[provider], label, look, now_s))


async def _look(
    board: Wakeful, relays: Keyed, label: str, look: _Look, now_s: Callable[[], float]
) -> None:
    until_s = asyncio.get_running_loop().time() + DEADLINES.total_s
    try:
        listed = await relays[label].list_models(DEADLINES, until_s)
    except UpstreamError:
        return  # as before
    there = {entry.id for entry in listed}
    found = (scope for model, scope in look.models.items() if model in there)
    for scope in (*look.scopes, *found):
        board.wake(scope, now_s())


def looks_for(
    standings: Iterable[Standing], providers: Mapping[str, Keyed]
) -> dict[tuple[str, str], _Look]:
    """Return what to look for, by provider and by the label of the key to ask with."""
    looks: dict[tuple[str, str], _Look] = {}

    def look(provider: str, label: str) -> _Look:
        return looks.setdefault((provider, label), _Look(set(), {}))

    for standing in standings:
        provider, _, model = standing.target.partition("/")
        relays = providers.get(provider)
        if relays is None:
            continue
        usable = [key.credential for key in standing.keys if not any(map(_is_open, key.breakers))]
        label = next((one for one in usable if one in relays), next(iter(relays)))
        own, around = standing.breakers
        if _is_open(own):
            look(provider, label).models[model] = own.scope
        if _is_open(around):
            look(provider, label).scopes.add(around.scope)
        for key in standing.keys:
            if _is_open(key.breakers[0]) and key.credential in relays:
                look(provider, key.credential).scopes.add(key.breakers[0].scope)
    return looks


def _is_open(breaker: BreakerStanding) -> bool:
    return breaker.state == "open"
