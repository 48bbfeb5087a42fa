"""A day of requests: a daily curve, bursts, sizes with long tails, conversations that grow.

Arrivals do not depend on answers, so that every strategy is asked the same at the same moment.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, exp, log, pi
from typing import Final

from slipstream.choice import CHAT, IMAGES, TOOLS

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its client sends it.

    Args:
        shared_tokens: Of the input, what the conversation's previous turn has sent or been told.
    """

    number: int
    at_s: float
    conversation: int
    turn: int
    input_tokens: int
    shared_tokens: int
    output_tokens: int
    abilities: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a day's requests are like; medians, and sigmas of their lognormal spread.

    Args:
        per_s: Mean rate over the day. At night it is the `quiet` share of that, at noon as much
            above it.
        bursts_per_day: Each multiplies the rate by `burst`, for half a minute on average.
        chat_share: Of those who come, how many stay for a conversation of `turns` on average.
    """

    per_s: float = 2.3
    quiet: float = 0.4
    bursts_per_day: int = 60
    burst: float = 3.0
    input_tokens: float = 500.0
    input_sigma: float = 1.1
    output_tokens: float = 220.0
    output_sigma: float = 0.9
    chat_share: float = 0.3
    turns: float = 5.0
    think_s: float = 40.0
    tools_share: float = 0.15
    images_share: float = 0.03
    long_share: float = 0.0  # with a whole book in front
    long_tokens: int = 150_000


USUAL: Final = Traffic()

_MAX_INPUT: Final = 60_000
_MAX_OUTPUT: Final = 4_000
_BURST_S: Final = 30.0
_MAX_TURNS: Final = 30


def day_of(traffic: Traffic, seed: int, day_s: float = DAY_S) -> list[Request]:
    """Return a day's requests in the order of their arrival.

    Args:
        day_s: A shorter day has the same rate and the same curve, pressed together.
    """
    rng = random.Random(seed)
    waiting: list[tuple[float, int, int, Request]] = []  # the next turns of conversations
    day: list[Request] = []
    for at_s in _arrivals(traffic, rng, day_s):
        while waiting and waiting[0][0] <= at_s:
            _, _, turns_left, turn = heapq.heappop(waiting)
            _take(day, turn, turns_left, waiting, rng, traffic)
        first = _first(traffic, rng, at_s, conversation=len(day))
        turns = 1
        if rng.random() < traffic.chat_share:
            turns = min(2 + int(rng.expovariate(1 / (traffic.turns - 1.5))), _MAX_TURNS)
        _take(day, first, turns - 1, waiting, rng, traffic)
    return day


def _arrivals(traffic: Traffic, rng: random.Random, day_s: float) -> Iterator[float]:
    """Yield when somebody new comes: a Poisson process with the day's rate and its bursts."""
    bursts = sorted(
        (start_s := rng.uniform(0, day_s), start_s + rng.expovariate(1 / _BURST_S))
        for _ in range(round(traffic.bursts_per_day * day_s / DAY_S))
    )
    turns_each = 1 + traffic.chat_share * (traffic.turns - 1)
    at_s = 0.0
    while True:
        curve = 1.0 - (1.0 - traffic.quiet) * cos(2 * pi * at_s / day_s)
        while bursts and bursts[0][1] < at_s:
            bursts.pop(0)
        is_burst = bool(bursts) and bursts[0][0] <= at_s
        rate = traffic.per_s / turns_each * curve * (traffic.burst if is_burst else 1.0)
        at_s += rng.expovariate(rate)
        if at_s >= day_s:
            return
        yield at_s


def _take(
    day: list[Request],
    request: Request,
    turns_left: int,
    waiting: list[tuple[float, int, int, Request]],
    rng: random.Random,
    traffic: Traffic,
) -> None:
    """Add a request to the day, and its conversation's next turn to those that wait."""
    number = len(day)
    taken = _at(request, number=number)
    day.append(taken)
    if turns_left:
        following = _next_turn(traffic, rng, taken)
        heapq.heappush(waiting, (following.at_s, number, turns_left - 1, following))


def _first(traffic: Traffic, rng: random.Random, at_s: float, conversation: int) -> Request:
    abilities = CHAT
    if rng.random() < traffic.tools_share:
        abilities |= TOOLS
    if rng.random() < traffic.images_share:
        abilities |= IMAGES
    is_long = rng.random() < traffic.long_share
    book = traffic.long_tokens if is_long else 0
    return Request(
        number=0,
        at_s=at_s,
        conversation=conversation,
        turn=0,
        input_tokens=book + _size(rng, traffic.input_tokens, traffic.input_sigma, _MAX_INPUT),
        shared_tokens=0,
        output_tokens=_size(rng, traffic.output_tokens, traffic.output_sigma, _MAX_OUTPUT),
        abilities=abilities,
    )


def _next_turn(traffic: Traffic, rng: random.Random, last: Request) -> Request:
    shared = last.input_tokens + last.output_tokens
    words = _size(rng, 60.0, 1.0, 4_000)
    think_s = exp(log(traffic.think_s) + 0.8 * rng.gauss(0.0, 1.0))
    return Request(
        number=0,
        at_s=last.at_s + 3.0 + think_s,
        conversation=last.conversation,
        turn=last.turn + 1,
        input_tokens=shared + words,
        shared_tokens=shared,
        output_tokens=_size(rng, traffic.output_tokens, traffic.output_sigma, _MAX_OUTPUT),
        abilities=last.abilities,
    )


def _at(request: Request, *, number: int) -> Request:
    return Request(
        number,
        request.at_s,
        request.conversation,
        request.turn,
        request.input_tokens,
        request.shared_tokens,
        request.output_tokens,
        request.abilities,
    )


def _size(rng: random.Random, median: float, sigma: float, most: int) -> int:
    return max(1, min(most, round(exp(log(median) + sigma * rng.gauss(0.0, 1.0)))))
