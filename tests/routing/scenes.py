"""A planner with a real board, a clock that is set by hand, and targets made up for a test."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from slipstream.call import Call, Dialect, Outcome, Price, Rates, State, Usage
from slipstream.choice import Attempt, Cause, Deadlines, Needs, Plan, Race, Target, Wishes
from slipstream.errors import GatewayError
from slipstream.routing.board import Board
from slipstream.routing.facts import TargetFacts
from slipstream.routing.plan import Planner
from slipstream.routing.routes import Catalogue, Route
from slipstream.routing.settings import RoutingSettings

DEADLINES = Deadlines(total_s=100.0)


def target(name: str, credential: str = "default") -> Target:
    """Return `provider/model` as a target."""
    provider, _, model = name.partition("/")
    return Target(provider, model, credential)


def price(
    input_usd: int,
    output_usd: int | None = None,
    *,
    read_usd: int | None = None,
    **fields: Any,
) -> Price:
    """Return a price in whole USD per million tokens."""
    output_usd = input_usd if output_usd is None else output_usd
    rates = Rates(
        input_tokens=input_usd * 10**6,
        cache_read_tokens=(input_usd if read_usd is None else read_usd) * 10**6,
        cache_write_5m_tokens=input_usd * 10**6,
        output_tokens=output_usd * 10**6,
        output_reasoning_tokens=output_usd * 10**6,
    )
    return Price(rates=rates, source="made up", **fields)


class Scene:
    """What a planner sees, and the planner.

    Args:
        names: Every target, as `provider/model`.
        facts: Fields of TargetFacts by name, for those about which something is known.
        prices: By name; those that are missing are unknown.
        routes: In addition to `all`, which has every target.
        fields: Of the route `all`.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        prices: Mapping[str, Price] | None = None,
        routes: Sequence[Route] = (),
        needs: Needs | None = None,
        explore: float = 0.0,
        seed: int = 1,
        catalogue: Mapping[str, Any] | None = None,
        settings: RoutingSettings | None = None,
        **fields: Any,
    ) -> None:
        self.now_s, self.wall_ns = 1000.0, 10**18
        self.targets = {name: target(name) for name in names}
        self.prices = dict(prices or {})
        self.needs = needs
        self.num_needs = 0
        self._facts = {name: dict(said) for name, said in (facts or {}).items()}
        self._number = 0
        every = Route(
            name="all",
            targets=tuple(self.targets.values()),
            **{"strategy": "ordered", "deadlines": DEADLINES, **fields},
        )
        self.catalogue = Catalogue(
            **{
                "routes": {route.name: route for route in (every, *routes)},
                "served": {},
                "providers": frozenset(each.provider for each in self.targets.values()),
                "deadlines": DEADLINES,
                "facts_of": self.facts_of,
                **(catalogue or {}),
            }
        )
        self.board = Board(self.facts_of, settings or RoutingSettings(), Random(seed))
        self.planner = Planner(
            self.catalogue,
            self.board,
            needs_of=self.needs_of,
            price_of=self.price_of,
            now_s=lambda: self.now_s,
            wall_ns=lambda: self.wall_ns,
            rng=Random(seed),
            explore=explore,
        )

    def facts_of(self, asked: Target) -> TargetFacts:
        """Return what the test says of a target."""
        said = self._facts.get(asked.name, {})
        labels = said.get("credentials", ("default",))
        first = msgspec.structs.replace(asked, credential=labels[0])
        return TargetFacts(target=first, **{"vendor": asked.provider, **said})

    def say(self, name: str, **fields: Any) -> None:
        """Change what is known of a target from now on."""
        self._facts.setdefault(name, {}).update(fields)

    def price_of(self, provider: str, model: str, at_ns: int) -> Price | None:
        """Return what the test says that a target costs."""
        return self.prices.get(f"{provider}/{model}")

    def needs_of(self, call: Call) -> Needs:
        """Return what the test says that calls need."""
        self.num_needs += 1
        return self.needs or Needs(input_bytes=len(call.body))

    def call(self, model: str = "all", **fields: Any) -> Call:
        """Return a call; each has an id of its own."""
        self._number += 1
        said = {"body": b"x" * 400, "is_stream": True, **fields}
        return Call(
            call_id=f"call-{self._number}",
            dialect=Dialect.OPENAI_CHAT,
            model=model,
            key_id="none",
            **said,
        )

    def plan(self, model: str = "all", **fields: Any) -> Plan:
        """Return the plan for a new call."""
        return self.planner.plan(self.call(model, **fields))

    def wish(self, model: str = "all", **wishes: Any) -> Plan:
        """Return the plan for a new call with wishes."""
        return self.plan(model, wishes=Wishes(**wishes))

    def answer(
        self,
        name: str,
        *,
        first_s: float = 0.5,
        total_s: float = 2.0,
        times: int = 1,
        usage: Usage | None = None,
        call_id: str | None = None,
        route: str = "all",
        **fields: Any,
    ) -> None:
        """Let a target answer, so often, one after another."""
        for _ in range(times):
            self._number += 1
            self.tell(
                self.outcome(
                    self.targets.get(name) or target(name),
                    first_s=first_s,
                    total_s=total_s,
                    usage=usage or Usage(input_tokens=100, output_tokens=100),
                    attempt_id=f"{call_id or f'call-{self._number}'}-1",
                    route=route,
                    **fields,
                )
            )

    def fail(self, name: str, error: GatewayError, *, times: int = 1, took_s: float = 0.1) -> None:
        """Let attempts at a target fail, so often."""
        for _ in range(times):
            self._number += 1
            failed = self.outcome(
                target(name),
                state="failed",
                error=error,
                first_s=None,
                total_s=took_s,
                attempt_id=f"call-{self._number}-1",
            )
            self.tell(failed)

    def tell(self, outcome: Outcome) -> None:
        """Let an attempt begin and end as told, the time passing meanwhile."""
        at = outcome.attempt.target
        self.board.begin(at, self.now_s)
        self.now_s += outcome.total_s
        self.board.end(at)
        self.board.note(outcome, self.now_s)
        self.planner.note(outcome)

    def outcome(
        self,
        at: Target,
        *,
        state: State = "complete",
        error: GatewayError | None = None,
        first_s: float | None = 0.5,
        total_s: float = 2.0,
        usage: Usage | None = None,
        attempt_id: str = "call-1",
        route: str = "all",
        cause: Cause = "first",
        race: Race | None = None,
        is_weighed: bool = True,
        body_bytes: int = 400,
    ) -> Outcome:
        """Return how an attempt ended."""
        return Outcome(
            attempt=Attempt(
                attempt_id=attempt_id,
                number=1,
                route=route,
                target=at,
                deadlines=DEADLINES,
                started_at_ns=self.wall_ns,
                total_deadline_s=self.now_s + 100.0,
                cause=cause,
                is_weighed=is_weighed,
                race=race,
            ),
            state=state,
            error=error,
            usage=usage or Usage(),
            cost_usd_pico=None,
            first_token_s=first_s,
            total_s=total_s,
            held_s=0.0,
            body_bytes=body_bytes,
        )


def names_of(plan: Plan) -> list[str]:
    """Return the targets of a plan as they are written."""
    return [each.name for each in plan.targets]
