"""All that is known of targets from what came of attempts: in memory, no I/O, no clock of its own.

Theory of operation

    begin(target) ──▶ attempt ──▶ note(outcome), end(target)
       │                             ├── its lane's experience     what it takes
       │                             ╰── blame ──▶ a breaker       what is left alone
       ╰── the breakers on its way: target, provider, key, key with this model

Rules
 1. Failures that are the caller's, and attempts that were left, cool nothing (invariant 7).
 2. Only breakers forbid an attempt. Room that headers told steers the choice and no more.
 3. A clock that is set back moves all moments with it; one that jumps ahead ends cooldowns.
 4. An attempt is known by when it began: one that began after a breaker opened is its probe. (So is
    a request that can go nowhere else, which dispatch makes all the same.)
"""

from math import inf, isfinite
from random import Random
from typing import Final

from slipstream.call import Outcome
from slipstream.choice import Room, Target
from slipstream.routing.blame import Blame, blame_for, has_answered, is_left
from slipstream.routing.breaker import Breaker, OnCooled
from slipstream.routing.facts import FactsOf
from slipstream.routing.keys import Quota
from slipstream.routing.lanes import Lane
from slipstream.routing.roster import Provider, Roster
from slipstream.routing.settings import RoutingSettings
from slipstream.routing.standings import Standing, standing_of

_CLOCK_SLACK_S: Final = 1.0  # callers read the clock before they do what they call us for
_PROBE_WAIT_S: Final = 0.5  # to look again where a probe is out
_MISSING_S: Final = 60.0  # a model that is not there comes back by somebody's hand only
_WORKED_LATELY_S: Final = 60.0  # what worked so lately is there: it is what was asked of it


class Board:
    """Lanes, breakers and keys of all targets; every method takes the event loop's time.

    Args:
        rng: For jitter, and to choose between what is alike.

    `on_cooled` is told when something begins to cool here, or will for longer; it must not raise.
    """

    def __init__(self, facts_of: FactsOf, settings: RoutingSettings, rng: Random) -> None:
        self._roster = Roster(facts_of, settings, rng.random)
        self._max_s = settings.max_cooldown_s
        self._now_s = -inf
        self.on_cooled: OnCooled | None = None
        self.lane = self._roster.lane
        """lane(target) -> Lane: what is known of a target, of all its keys together."""

    @property
    def epoch(self) -> int:
        """Changes when lanes were dropped: who keeps lanes has to ask for them again."""
        return self._roster.epoch

    # ---- what is asked ---------------------------------------------------------------------------

    def is_open(self, target: Target, now_s: float) -> bool:
        """Tell whether a target, with its key, lets no attempt through now."""
        return self.wait_s(target, now_s) > 0.0

    def wait_s(self, target: Target, now_s: float) -> float:
        """Return how long until it does; 0.0: now."""
        self._check(now_s)
        lane = self.lane(target)
        quota = lane.quota(target.credential)
        if quota.is_clear:
            return 0.0
        until_s = max(breaker.blocked_until_s for breaker in _on_way(lane, quota))
        return _PROBE_WAIT_S if until_s == inf else max(until_s - now_s, 0.0)

    def is_roomier(self, target: Target, than: Target) -> bool:
        """Tell whether a target's context is known to be larger than another's."""
        context = self.lane(target).facts.context_tokens
        other = self.lane(than).facts.context_tokens
        return context is not None and other is not None and context > other

    def standings(self, now_s: float) -> list[Standing]:
        """Return what is known of each target, by name."""
        self._check(now_s)
        lanes = sorted(self._roster.lanes(), key=lambda lane: lane.target.name)
        return [standing_of(lane, now_s) for lane in lanes]

    # ---- attempts --------------------------------------------------------------------------------

    def begin(self, target: Target, now_s: float) -> bool:
        """Count an attempt in flight; False, and nothing counted, where it is not let through."""
        self._check(now_s)
        lane = self.lane(target)
        quota = lane.quota(target.credential)
        provider = self._roster.providers[target.provider]
        if not quota.is_clear and not _let_through(provider, lane, quota, now_s):
            return False
        lane.begin(now_s)
        quota.in_flight += 1
        quota.key.in_flight += 1
        provider.in_flight += 1
        return True

    def end(self, target: Target) -> None:
        """Count an attempt out that `begin` let through."""
        provider = self._roster.providers.get(target.provider)
        lane = None if provider is None else provider.lanes.get(target.model)
        if provider is None or lane is None or not lane.in_flight:
            return
        quota = lane.quota(target.credential)
        lane.end()
        quota.in_flight -= 1
        quota.key.in_flight -= 1
        provider.in_flight -= 1
        if not quota.is_clear:
            _free(provider, lane, quota, self._now_s)

    def note(self, outcome: Outcome, now_s: float) -> None:
        """Learn from an attempt that has ended, and leave alone what is to blame for it."""
        self._check(now_s)
        target = outcome.attempt.target
        lane = self.lane(target)
        began_s = now_s - outcome.total_s if isfinite(outcome.total_s) else now_s
        if outcome.state == "complete" and outcome.first_token_s is not None:
            lane.note_success(outcome, began_s, now_s)
            self._heal(lane, target, began_s, now_s)
            return
        # What comes of an outage is the breaker's matter: when it is over, it tells nothing more.
        is_well = lane.breaker.is_closed and lane.around.is_closed
        if is_well and is_left(outcome):
            lane.note_left(outcome, began_s, now_s)
        quota = lane.quota(target.credential)
        blame = _fitted(blame_for(outcome), lane, quota, now_s)
        # Nor do the limits of a key make a target unreliable.
        if is_well and blame is not None and blame.scope in ("target", "provider"):
            lane.note_failure(outcome.total_s, now_s)
        self._punish(lane, quota, outcome, blame, began_s, now_s)

    def note_room(self, target: Target, room: Room, now_s: float) -> None:
        """Take what the headers of an answer say of its rate limits."""
        self._check(now_s)
        lane = self.lane(target)
        lane.quota(target.credential).tell(room, now_s, self._max_s)
        lane.watch(now_s)

    def cool(self, scope: str, seconds: float, now_s: float) -> None:
        """Leave alone what another gateway found failing, if the scope names anything."""
        self._check(now_s)
        breaker = self._roster.breaker(scope)
        if breaker is not None:
            breaker.cool(seconds, now_s, "another gateway said so")
            for lane in self._roster.lanes():
                lane.watch(now_s)

    def wake(self, scope: str, now_s: float) -> None:
        """Let a request look now whether what a scope names is well: there is a sign that it is."""
        self._check(now_s)
        breaker = self._roster.breaker(scope)
        if breaker is not None and breaker.wake(now_s):
            for lane in self._roster.lanes():
                lane.watch(now_s)

    # ---- inside ----------------------------------------------------------------------------------

    def _check(self, now_s: float) -> None:
        """Keep moments and the clock together, should it have been set back."""
        if now_s >= self._now_s:
            self._now_s = now_s
        elif now_s < self._now_s - _CLOCK_SLACK_S:
            self._roster.shift(now_s - self._now_s)
            self._now_s = now_s
            for lane in self._roster.lanes():
                lane.watch(now_s)

    def _heal(self, lane: Lane, target: Target, began_s: float, now_s: float) -> None:
        """Note a success at the breakers on its way."""
        quota = lane.quota(target.credential)
        key = quota.key
        key.worked_s = now_s
        has_closed = lane.breaker.succeed(began_s, now_s) | lane.around.succeed(began_s, now_s)
        if not quota.is_clear:
            has_closed |= quota.breaker.succeed(began_s, now_s)
            has_closed |= key.breaker.succeed(began_s, now_s)
        if has_closed:
            _watch_all(self._roster.providers[target.provider], now_s)

    def _punish(
        self,
        lane: Lane,
        quota: Quota,
        outcome: Outcome,
        blame: Blame | None,
        began_s: float,
        now_s: float,
    ) -> None:
        """Note what was no success at the breakers on its way."""
        blamed = None if blame is None else _blamed(blame, lane, quota)
        for breaker in _on_way(lane, quota):
            if breaker is lane.around and breaker is not blamed and has_answered(outcome):
                breaker.succeed(began_s, now_s)
            elif breaker is not blamed:
                breaker.pass_over(began_s)
        cooldown_s = None
        if blame is not None and blamed is not None:
            cooldown_s = _fail(blamed, blame, began_s, now_s)
        if cooldown_s is not None or not quota.is_clear:
            _watch_all(self._roster.providers[lane.target.provider], now_s)
        if blamed is not None and cooldown_s is not None and self.on_cooled is not None:
            self.on_cooled(blamed.scope, cooldown_s, blamed.reason)


def _on_way(lane: Lane, quota: Quota) -> tuple[Breaker, Breaker, Breaker, Breaker]:
    """Return all breakers that an attempt passes."""
    return lane.breaker, lane.around, quota.breaker, quota.key.breaker


def _blamed(blame: Blame, lane: Lane, quota: Quota) -> Breaker:
    match blame.scope:
        case "target":
            return lane.breaker
        case "provider":
            return lane.around
        case "key":
            return quota.key.breaker
        case "lane":
            return quota.breaker


def _fail(breaker: Breaker, blame: Blame, began_s: float, now_s: float) -> float | None:
    if blame.count:
        return breaker.fail(began_s, now_s, blame.reason, blame.count)
    first_s = _MISSING_S if blame.is_missing else None
    return breaker.refuse(began_s, now_s, blame.reason, wait_s=blame.wait_s, first_s=first_s)


def _fitted(blame: Blame | None, lane: Lane, quota: Quota, now_s: float) -> Blame | None:
    """Return who is to blame for what is missing, by what worked a moment ago.

    A model that answers other requests is there, and what this one named is not. A key that is
    accepted is good, and may not use this model.
    """
    if blame is None or not blame.is_missing:
        return blame
    if blame.scope == "key":
        is_good = now_s - quota.key.worked_s < _WORKED_LATELY_S
        return Blame("lane", blame.reason, 0, is_missing=True) if is_good else blame
    return None if now_s - lane.answered_s < _WORKED_LATELY_S else blame


def _let_through(provider: Provider, lane: Lane, quota: Quota, now_s: float) -> bool:
    """Take the places of probes, and of the room that is known, unless something is in the way."""
    breakers = _on_way(lane, quota)
    if not all(breaker.allows(now_s) for breaker in breakers):
        return False
    quota.take(lane.tokens, now_s)
    if all(breaker.is_closed for breaker in breakers):
        lane.watch(now_s)
        return True
    for breaker in breakers:
        breaker.begin()
    _watch_all(provider, now_s)
    return True


def _free(provider: Provider, lane: Lane, quota: Quota, now_s: float) -> None:
    """Free the places of probes that can be nobody's, since nobody is left."""
    busy = (lane.in_flight, provider.in_flight, quota.in_flight, quota.key.in_flight)
    is_freed = False
    for breaker, in_flight in zip(_on_way(lane, quota), busy, strict=True):
        if breaker.is_probed and not in_flight:
            breaker.free()
            is_freed = True
    if is_freed:
        _watch_all(provider, now_s)


def _watch_all(provider: Provider, now_s: float) -> None:
    for lane in provider.lanes.values():
        lane.watch(now_s)
