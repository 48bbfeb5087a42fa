"""Who there is: providers with their keys and lanes, made when first asked for, bounded.

Scopes name what can be left alone, here and towards other gateways:

    target groq/openai/gpt-oss-120b      one model                    lanes' own breaker
    provider groq                        all its models               no connection
    key groq#2                           all models with one key      refused
    lane groq/openai/gpt-oss-120b#2      one model with one key       out of quota
"""

from collections.abc import Callable, Iterator
from typing import Final

from slipstream.choice import Target
from slipstream.routing.breaker import OF_KEY, OF_PROVIDER, OF_QUOTA, OF_TARGET, Breaker, Policy
from slipstream.routing.facts import FactsOf
from slipstream.routing.keys import Key, Quota
from slipstream.routing.lanes import Lane
from slipstream.routing.settings import RoutingSettings

MAX_LANES: Final = 2048
"""When there are more, idle ones go: an eighth of all at a time, used longest ago first."""

_DROPPED_PART: Final = 8


class Provider:
    """One provider: its breaker, its keys by label, its lanes by model."""

    __slots__ = ("breaker", "in_flight", "keys", "lanes")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.in_flight = 0
        self.keys: dict[str, Key] = {}
        self.lanes: dict[str, Lane] = {}


class Roster:
    """All providers; `epoch` changes when lanes were dropped."""

    def __init__(
        self, facts_of: FactsOf, settings: RoutingSettings, random: Callable[[], float]
    ) -> None:
        self._facts_of = facts_of
        self._memory_s = settings.memory_s
        self._max_s = settings.max_cooldown_s
        self._random = random
        self._num_lanes = 0
        self.providers: dict[str, Provider] = {}
        self.epoch = 0

    def lane(self, target: Target) -> Lane:
        """Return the lane of a target, whatever its key."""
        provider = self.providers.get(target.provider)
        if provider is not None:
            lane = provider.lanes.get(target.model)
            if lane is not None:
                return lane
        return self._add(target)

    def lanes(self) -> Iterator[Lane]:
        """Yield all lanes."""
        for provider in self.providers.values():
            yield from provider.lanes.values()

    def breaker(self, scope: str) -> Breaker | None:
        """Return the breaker that a scope names, made if need be; None where it names none.

        Whoever asks has made sure that there is such a provider, and such a key.
        """
        kind, _, rest = scope.partition(" ")
        if kind == "provider":
            return self._provider(rest).breaker
        label = ""
        if kind in ("key", "lane"):
            rest, _, label = rest.rpartition("#")
        name, _, model = rest.partition("/")
        if kind == "key":
            return self._key(self._provider(name), name, label).breaker
        if kind not in ("target", "lane") or not model:
            return None
        lane = self.lane(Target(name, model))
        if kind == "target":
            return lane.breaker
        return next((q.breaker for q in lane.quotas if q.key.credential == label), None)

    def shift(self, by_s: float) -> None:
        """Move all moments; the clock was set."""
        for provider in self.providers.values():
            provider.breaker.shift(by_s)
            for key in provider.keys.values():
                key.shift(by_s)
            for lane in provider.lanes.values():
                lane.shift(by_s)

    # ---- making and dropping ---------------------------------------------------------------------

    def _add(self, target: Target) -> Lane:
        if self._num_lanes >= MAX_LANES:
            self._drop_idle()
        name = target.provider
        provider = self._provider(name)
        facts = self._facts_of(Target(name, target.model))
        full_name = f"{name}/{target.model}"
        quotas = [
            Quota(
                self._key(provider, name, label),
                self._breaker(f"lane {full_name}#{label}", OF_QUOTA),
            )
            for label in facts.credentials
        ]
        lane = Lane(
            facts,
            quotas,
            self._breaker(f"target {full_name}", OF_TARGET),
            provider.breaker,
            self._memory_s,
            self._random,
        )
        lane.watch(0.0)  # its provider or its key may be left alone already
        provider.lanes[target.model] = lane
        self._num_lanes += 1
        return lane

    def _provider(self, name: str) -> Provider:
        provider = self.providers.get(name)
        if provider is None:
            provider = Provider(self._breaker(f"provider {name}", OF_PROVIDER))
            self.providers[name] = provider
        return provider

    def _key(self, provider: Provider, name: str, label: str) -> Key:
        key = provider.keys.get(label)
        if key is None:
            key = Key(label, self._breaker(f"key {name}#{label}", OF_KEY))
            provider.keys[label] = key
        return key

    def _breaker(self, scope: str, policy: Policy) -> Breaker:
        return Breaker(scope, policy, self._max_s, self._random)

    def _drop_idle(self) -> None:
        idle = sorted(
            (lane.used_s, provider_name, model)
            for provider_name, provider in self.providers.items()
            for model, lane in provider.lanes.items()
            if not lane.in_flight
        )
        for _, provider_name, model in idle[: max(MAX_LANES // _DROPPED_PART, 1)]:
            del self.providers[provider_name].lanes[model]
            self._num_lanes -= 1
        self.epoch += 1
