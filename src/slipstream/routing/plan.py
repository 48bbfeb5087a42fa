"""The choice: which targets a call may try, in which order. Pure: no I/O, no clock of its own.

    name ─ names ─▶ Route ─ terms ─▶ Terms ╮
                                           ├─ candidates ─▶ who can ─ expect ─▶ at what cost, when
    call ─ needs ──────────────────────────╯                              │
                                                Plan ◀─ choosing ◀────────╯

Theory of operation
 1. A name that stands for one target with one key is one look-up: nothing is read or measured.
 2. Who can serve requests of one kind is remembered for `KEEP_S`, prices and lanes with it.
 3. What differs between two requests of a kind is computed anew for each: size, room, times.
 4. Whatever is kept has a bound. The oldest goes.
"""

from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

import msgspec

from slipstream.call import Call, Outcome
from slipstream.choice import EMBEDDINGS, Needs, Plan
from slipstream.errors import UnknownModel
from slipstream.routing import told
from slipstream.routing.board import Board
from slipstream.routing.candidates import Ask, Candidate, Sieved, sieve, tier_of
from slipstream.routing.expect import Size, look_at_quantiles
from slipstream.routing.facts import PriceOf, TargetFacts
from slipstream.routing.field import Field, can_serve, part, together
from slipstream.routing.memory import Memory
from slipstream.routing.names import AUTO, find_route, unknown_name
from slipstream.routing.ordering import Chance, order, plain_plan, plan_from
from slipstream.routing.routes import Catalogue
from slipstream.routing.terms import Terms, terms_of, wished

KEEP_S: Final = 5.0
"""How long facts, prices and lanes of the targets of a route are used as they were read."""

MAX_NAMES: Final = 4096
MAX_KINDS: Final = 512  # of requests, by route and by what they ask of a target
_KEEP_NEW_S, _KNOWN = 0.5, 200.0  # below so many samples a second tells a good deal more

_KEY_ATTEMPTS: Final = 4  # of a name that stands for one target with several keys

Key = TypeVar("Key")
Kept = TypeVar("Kept")

_NO_FIELD: Final = Field(())


class _Kind(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of the targets for requests of one kind, and for how long that holds."""

    sieved: Sieved
    field: Field
    spare: Field
    until_s: float
    epoch: int


class Planner:
    """Makes a Plan for each call, and learns from what came of it.

    Args:
        board: What is known of targets by now.
        needs_of: Reads what a call needs; asked only where there is a choice.
        now_s: The event loop's clock.
        wall_ns: Wall clock, for prices.
        rng: Decides where measurements do not.
        explore: Share of measured choices that look at a target of which too little is known.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        board: Board,
        *,
        needs_of: Callable[[Call], Needs],
        price_of: PriceOf,
        now_s: Callable[[], float],
        wall_ns: Callable[[], int],
        rng: Random,
        explore: float = 0.0,
    ) -> None:
        self._catalogue, self._board = catalogue, board
        self._needs_of, self._price_of = needs_of, price_of
        self._now_s, self._wall_ns = now_s, wall_ns
        self._rng, self._explore = rng, explore
        self._terms: dict[str, Terms] = {}
        self._plans: dict[str, Plan] = {}  # of names, without a call
        self._sole: dict[str, Plan] = {}  # that every call of a name gets
        self._by_key: dict[tuple[str, str], Plan] = {}  # by name and by the key that comes first
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._memory = Memory(catalogue.facts_of)

    # ---- what a name stands for ------------------------------------------------------------------

    def plan_of(self, model: str) -> Plan:
        """Return what a public name stands for, whatever the call: all its targets.

        Raises:
            UnknownModel: It stands for nothing.
        """
        found = self._plans.get(model)
        if found is None:
            terms = self._terms_of(model)
            found = _keep(self._plans, model, plain_plan(terms), MAX_NAMES)
        return found

    def _terms_of(self, model: str) -> Terms:
        found = self._terms.get(model)
        if found is not None:
            return found
        route = find_route(model, self._catalogue)
        if route is None:
            raise UnknownModel(unknown_name(model, self._catalogue))
        routes = self._catalogue.routes
        is_auto = model.partition(":")[0] == AUTO and AUTO not in routes and model not in routes
        return _keep(self._terms, model, terms_of(route, model, is_auto=is_auto), MAX_NAMES)

    # ---- the choice ------------------------------------------------------------------------------

    def plan(self, call: Call) -> Plan:
        """Return what to try for this call.

        Raises:
            UnknownModel: The name stands for nothing; the error names the nearest that do.
            BadRequest: The call wishes for a target that does not exist.
            NoTarget: None of its targets can serve it, or all are left alone for longer than it may
                wait; the error says why of each.
        """
        if call.wishes is None:
            found = self._sole.get(call.model)
            if found is not None:
                return found
        terms = self._terms_of(call.model)
        if call.wishes is None and len(terms.places) == 1:
            found = self._only(call, terms)
            if found is not None:
                return found
        return self._choose(call, terms, self._rng)

    def explain(self, call: Call) -> Plan:
        """Return what `plan` would with everything that was considered; nothing comes of it.

        No target is explored or probed for it, nothing is taken from what a route may race, and
        where chance would decide between close ones, the best one comes first.

        Raises:
            GatewayError: As `plan` does.
        """
        return self._choose(call, self._terms_of(call.model), None)

    def _only(self, call: Call, terms: Terms) -> Plan | None:
        """Return the plan for the one target of a name; None where it has to be looked at."""
        if terms.quality is not None or terms.data != "any" or terms.is_auto:
            return None
        ((_, target),) = terms.places
        labels = self._catalogue.facts_of(target).credentials
        if len(labels) < 2:
            return _keep(self._sole, call.model, plain_plan(terms), MAX_NAMES)
        lane = self._board.lane(target)
        label = lane.credential(self._now_s(), len(call.body) * lane.tokens_per_byte)
        found = self._by_key.get((call.model, label))
        if found is not None:
            return found
        start = labels.index(label) if label in labels else 0
        targets = tuple(
            msgspec.structs.replace(target, credential=each)
            for each in (*labels[start:], *labels[:start])
        )
        plan = msgspec.structs.replace(
            plain_plan(terms),
            targets=targets,
            max_attempts=max(terms.max_attempts, min(len(targets), _KEY_ATTEMPTS)),
            is_weighed=True,
        )
        return _keep(self._by_key, (call.model, label), plan, MAX_NAMES)

    def _choose(self, call: Call, terms: Terms, rng: Random | None) -> Plan:
        now_s = self._now_s()
        if call.wishes is not None:
            terms = wished(terms, call.wishes, self._catalogue)
        needs = self._needs_of(call)
        start = self._memory.start_of(call, now_s)
        size = Size(
            num_bytes=needs.input_bytes,
            media_tokens=needs.media_tokens,
            input_tokens=needs.input_tokens,
            max_output_tokens=0 if needs.abilities & EMBEDDINGS else call.max_output_tokens,
            is_stream=call.is_stream,
            warm=start.warm,
            max_cost_usd_pico=terms.max_cost_usd_pico,
        )
        kind = self._kind_of(call, terms, needs, now_s)
        max_wait_s = terms.route.max_wait_s
        parted, spare = part(kind.field, size, now_s), kind.spare
        if spare.candidates and not can_serve(parted, max_wait_s, now_s):
            parted, spare = together(parted, part(spare, size, now_s)), _NO_FIELD
        if not can_serve(parted, max_wait_s, now_s):
            raise told.refusal(terms, kind.sieved, parted, size, now_s)
        is_paid = self._pay_race(terms, len(parted.ready), rng)
        chance = Chance(rng, self._explore, is_paid is not False)
        found = order(terms, parted, size, chance, now_s)
        if rng is not None:
            self._memory.expect(call.call_id, start, is_paid=is_paid is True)
        has_keys = kind.field.has_keys or kind.spare.has_keys
        plan = plan_from(terms, found, size, now_s, has_keys=has_keys)
        if terms.is_explained or rng is None:
            left = kind.sieved.left
            weighed = told.weighed(terms, left, spare.candidates, parted, found, size, now_s)
            plan = msgspec.structs.replace(plan, weighed=weighed)
        return plan

    def _pay_race(self, terms: Terms, num_ready: int, rng: Random | None) -> bool | None:
        """Pay for a further runner; None: it costs nothing, False: there is nothing to pay with."""
        route = terms.route
        if terms.strategy != "race" or route.race_share >= 1.0 or num_ready < 2 or rng is None:
            return None
        return self._memory.shares.take(route.name, route.race_share)

    # ---- candidates ------------------------------------------------------------------------------

    def _kind_of(self, call: Call, terms: Terms, needs: Needs, now_s: float) -> _Kind:
        """Return what became of the targets for requests of this kind."""
        wishes = call.wishes
        key = (
            call.model,
            needs.abilities,
            needs.sealed_by,
            None
            if wishes is None
            else (wishes.targets, len(terms.places), terms.quality, terms.task, terms.data),
        )
        kind = self._kinds.get(key)
        if (
            kind is not None
            and kind.until_s - KEEP_S <= now_s < kind.until_s
            and kind.epoch == self._board.epoch
        ):
            return kind
        self._kinds.pop(key, None)
        ask = Ask(
            abilities=needs.abilities,
            quality=terms.quality,
            task=terms.task,
            data=terms.data,
            sealed_by=needs.sealed_by,
            is_auto=terms.is_auto,
        )
        wall_ns = self._wall_ns()
        facts_of = self._catalogue.facts_of

        def make(number: int, facts: TargetFacts) -> Candidate:
            target = facts.target
            candidate = Candidate(
                facts,
                self._board.lane(target),
                self._memory.history.answers(terms.route.name, target.name),
                self._price_of(target.provider, target.model, wall_ns),
                index=terms.places[number][0],
                weight=terms.weights[number] if terms.weights else 1.0,
                is_foreign=bool(needs.sealed_by)
                and needs.sealed_by.isdisjoint((facts.vendor, target.provider)),
                tier=tier_of(facts, terms.task),
            )
            look_at_quantiles(candidate)
            return candidate

        sieved = sieve([facts_of(target) for _, target in terms.places], ask, make)
        # Lanes are asked for before the epoch is: making one may drop another.
        kind = _Kind(
            sieved=sieved,
            field=Field(sieved.candidates),
            spare=Field(sieved.spare) if sieved.spare else _NO_FIELD,
            until_s=now_s + _keep_s(sieved),
            epoch=self._board.epoch,
        )
        return _keep(self._kinds, key, kind, MAX_KINDS)

    # ---- learning --------------------------------------------------------------------------------

    def note(self, outcome: Outcome) -> None:
        """Learn from an attempt that has ended, if its plan was a choice."""
        if outcome.attempt.is_weighed:
            self._memory.note(outcome, self._now_s())


def _keep_s(sieved: Sieved) -> float:
    is_known = all(each.lane.samples >= _KNOWN for each in sieved.candidates)
    return KEEP_S if is_known else _KEEP_NEW_S


def _keep(table: dict[Key, Kept], key: Key, value: Kept, most: int) -> Kept:
    """Put something into a table that holds so much at most; return it."""
    while len(table) >= most:
        del table[next(iter(table))]
    table[key] = value
    return value
