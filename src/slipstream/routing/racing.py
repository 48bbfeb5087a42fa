"""When further runners of a race start, how many, and for which share of a route's requests.

share    each request of a route adds its share to an account; a race that may need a further
         runner takes 1 out of it, which comes back if none was started
money    further runners are taken as long as their expected cost fits the route's bound
delay    as the route or the caller says, or what 95 of 100 first tokens of the first runner take
"""

from collections.abc import Sequence
from typing import Final

from slipstream.routing.candidates import Candidate
from slipstream.routing.expect import Size, expect_tokens

# Where nothing is known of quantiles: so many times the mean, and not less than this. Of most
# providers one first token in twenty takes three times as long as their mean.
_HEDGE_MEANS: Final = 3.0
_LEAST_HEDGE_S: Final = 0.05

_MEMORY: Final = 100.0  # requests: the account holds no more than they would bring
_MAX_ROUTES: Final = 4096


class RaceShares:
    """How much racing each route may still do."""

    def __init__(self) -> None:
        self._credits: dict[str, float] = {}

    def take(self, route: str, share: float) -> bool:
        """Count a request; return whether it may start further runners, which is then paid for."""
        if share <= 0.0:
            return False
        table = self._credits
        while len(table) >= _MAX_ROUTES and route not in table:
            del table[next(iter(table))]
        held = min(table.get(route, 1.0) + share, max(1.0, share * _MEMORY))
        table[route] = held - 1.0 if held >= 1.0 else held
        return held >= 1.0

    def give_back(self, route: str) -> None:
        """Take back what `take` was paid: its request has ended."""
        if route in self._credits:
            self._credits[route] += 1.0

    def spend(self, route: str) -> None:
        """Pay for a further runner that was started."""
        if route in self._credits:
            self._credits[route] -= 1.0


def hedge_s(first: Candidate, size: Size) -> float:
    """Return how long a first runner is given before another one starts beside it."""
    late_s = first.glance.late_s if size.is_stream else first.glance.late_plain_s
    # That it is late just now is a reason to begin beside it, and none to wait for longer.
    first_s = expect_tokens(first, size).first_s - first.lane.late_s
    return max(_HEDGE_MEANS * first_s if late_s is None else first_s + late_s, _LEAST_HEDGE_S)


def affordable(
    costs_usd_pico: Sequence[int | None], most_runners: int, most_usd_pico: int
) -> list[int]:
    """Return the places of the runners, the first one's included.

    Args:
        costs_usd_pico: Expected of each candidate, in order; None is not known, and does not run.
        most_usd_pico: Of all but the first together, at most.
    """
    runners = [0]
    spent = 0
    for place, cost in enumerate(costs_usd_pico[1:], 1):
        if len(runners) < most_runners and cost is not None and spent + cost <= most_usd_pico:
            spent += cost
            runners.append(place)
    return runners
