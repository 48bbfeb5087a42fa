"""The worlds: which targets there are, what happens to them over the day, and how much is asked.

Prices and speeds are made up, in the range that list prices and public measurements have in 2026.
"""

from dataclasses import dataclass, replace
from typing import Final

from bench.routing.specs import Curve, Fault, Spec
from bench.routing.traffic import USUAL, Traffic
from slipstream.choice import ALL_ABILITIES, IMAGES, TOOLS


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One kind of day.

    Args:
        about: What it is to show.
        weights: For `weighted`; empty: the same for all.
    """

    name: str
    about: str
    specs: tuple[Spec, ...]
    traffic: Traffic = USUAL
    weights: tuple[float, ...] = ()


_THRIFTY: Final = Spec(
    name="thrifty", input_usd=0.08, output_usd=0.30, first_s=0.9, write_per_s=45, read_per_s=4_000
)
_MIDDLE: Final = Spec(
    name="middle", input_usd=0.15, output_usd=0.60, first_s=0.45, write_per_s=120, read_per_s=8_000
)
_SWIFT: Final = Spec(
    name="swift", input_usd=0.30, output_usd=0.75, first_s=0.25, write_per_s=450, read_per_s=20_000
)
_WAFER: Final = Spec(
    name="wafer", input_usd=0.45, output_usd=0.95, first_s=0.3, write_per_s=1_800, read_per_s=40_000
)


def _alone(times: float, start: float, end: float, ramp: float = 0.005) -> Curve:
    """Return a curve that is at `times` from `start` to `end`, and at 1 otherwise."""
    return (
        (0.0, 1.0),
        (start - ramp, 1.0),
        (start, times),
        (end, times),
        (end + ramp, 1.0),
    )


def _shifting() -> tuple[Spec, ...]:
    """Three that are the fastest in turn; none stays it."""
    slowness = (
        ((0.0, 1.0), (0.2, 1.0), (0.21, 3.0), (0.55, 3.0), (0.56, 1.0), (0.8, 1.0), (0.81, 3.0)),
        ((0.0, 2.5), (0.2, 2.5), (0.21, 1.0), (0.4, 1.0), (0.41, 3.0)),
        ((0.0, 4.0), (0.4, 4.0), (0.41, 1.2), (0.55, 1.2), (0.56, 3.0), (0.8, 3.0), (0.81, 1.0)),
    )
    plain = replace(_MIDDLE, write_per_s=150.0)
    prices = ((0.15, 0.6), (0.2, 0.7), (0.12, 0.55))
    return tuple(
        replace(plain, name=name, input_usd=reads, output_usd=writes, slowness=curve)
        for name, (reads, writes), curve in zip(
            ("north", "east", "south"), prices, slowness, strict=True
        )
    )


def _outage() -> tuple[Spec, ...]:
    """The best refuses connections, later stalls, later fails half of what it gets."""
    faults = (
        Fault(0.30, 0.38, "refuses"),
        Fault(0.55, 0.58, "stalls"),
        Fault(0.75, 0.79, "errors", share=0.5, after_s=0.2),
    )
    return replace(_WAFER, faults=faults), _SWIFT, _MIDDLE, _THRIFTY


def _brown_out() -> tuple[Spec, ...]:
    """The best gets slower for hours, up to twelve times, and recovers."""
    slowness = ((0.0, 1.0), (0.3, 1.0), (0.5, 12.0), (0.6, 12.0), (0.7, 1.0))
    return replace(_SWIFT, slowness=slowness), _MIDDLE, _THRIFTY


def _limited() -> tuple[Spec, ...]:
    """The cheapest has limits for about half of what is asked."""
    return (
        replace(_THRIFTY, requests_per_min=80, tokens_per_min=140_000, write_per_s=90),
        replace(_MIDDLE, tokens_per_min=400_000),
        _SWIFT,
    )


def _tails() -> tuple[Spec, ...]:
    """Two that are the same, each with a first token in twenty-five that takes very long."""
    plain = replace(_SWIFT, tail_share=0.04, tail_times=12.0, first_s=0.35, write_per_s=400)
    return replace(plain, name="left"), replace(plain, name="right")


def _garbage() -> tuple[Spec, ...]:
    """One that costs and takes the least, because all it says for most of the day is 500."""
    faults = (Fault(0.15, 0.85, "errors", after_s=0.01),)
    garbage = replace(_WAFER, name="garbage", input_usd=0.05, output_usd=0.2, faults=faults)
    return garbage, _MIDDLE, _SWIFT, _THRIFTY


def _queues() -> tuple[Spec, ...]:
    """Four that are the same, each with seven servers: enough at noon, too few for its bursts."""
    plain = replace(_MIDDLE, servers=7, max_queue=200, cache_s=0.0, write_per_s=80, first_s=0.5)
    return tuple(replace(plain, name=name) for name in ("one", "two", "three", "four"))


def _twenty() -> tuple[Spec, ...]:
    """Twenty at all prices and speeds, of which some fail, drift, or cannot do everything."""
    specs = []
    for place in range(20):
        speed = 30.0 * 1.25**place  # 30 to 2,080 tokens/s
        dear = 0.06 * 1.12 ** ((place * 7) % 20)  # in no order of speed
        phase = (place * 0.37) % 0.8
        faults: tuple[Fault, ...] = ()
        if place % 4 == 3:
            faults = (Fault(phase, phase + 0.05, ("refuses", "errors", "cuts")[place % 3]),)
        specs.append(
            Spec(
                name=f"t{place:02d}",
                input_usd=dear,
                output_usd=3.5 * dear,
                first_s=0.25 + 0.05 * ((place * 3) % 11),
                write_per_s=speed,
                read_per_s=60 * speed,
                slowness=_alone(4.0, phase + 0.1, phase + 0.2) if place % 3 == 1 else ((0.0, 1.0),),
                faults=faults,
                abilities=ALL_ABILITIES
                & ~(IMAGES if place % 2 else 0)
                & ~(TOOLS * (place % 5 == 0)),
                context_tokens=32_768 if place % 4 == 1 else 262_144,
                tier=(100_000, 2.0) if place % 6 == 0 else None,
                dearer=((0.5, 1.8),) if place % 5 == 2 else (),
            )
        )
    return tuple(specs)


WORLDS: Final = {
    world.name: world
    for world in (
        World(
            name="steady",
            about="four targets that never change",
            specs=(_THRIFTY, _MIDDLE, _SWIFT, _WAFER),
            weights=(1.0, 2.0, 4.0, 1.0),
        ),
        World(name="shifting", about="the fastest is another every few hours", specs=_shifting()),
        World(name="outage", about="the best goes away and comes back", specs=_outage()),
        World(name="brown-out", about="the best gets slower for hours", specs=_brown_out()),
        World(name="limited", about="the cheapest has rate limits", specs=_limited()),
        World(
            name="tails",
            about="two equal targets whose first token is sometimes very late",
            specs=_tails(),
            traffic=Traffic(chat_share=0.0, output_tokens=150, output_sigma=0.6),
        ),
        World(name="garbage", about="the cheapest answers at once, with errors", specs=_garbage()),
        World(
            name="queues",
            about="four equal targets with seven servers each",
            specs=_queues(),
            traffic=Traffic(bursts_per_day=120, burst=2.0, chat_share=0.0),
        ),
        World(
            name="twenty",
            about="twenty candidates, some failing, drifting, or unable",
            specs=_twenty(),
            traffic=Traffic(long_share=0.004),
        ),
    )
}
