"""Tests of slipstream.engine.scheduler and its blocks: random requests, every rule checked."""

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.engine.blocks import BLOCK_TOKENS
from slipstream.engine.scheduler import Limits
from tests.engine.scheduled_world import Shape, World


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Draw a world: from a pool of one block to one that is never full."""
    num_blocks = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 12, 20, 60]))
    num_tokens = num_blocks * BLOCK_TOKENS
    most_prompt = draw(st.integers(1, min(num_tokens - 1, 200)))
    limits = Limits(
        max_running=draw(st.integers(1, 12)),
        max_queued=draw(st.integers(1, 20)),
        max_batch_tokens=draw(st.sampled_from([16, 32, 64, 128])),
        mixed_prompt_tokens=draw(st.sampled_from([16, 24, 32])),
        patience_s=draw(st.sampled_from([0.5, 5.0, 100.0])),
    )
    return Shape(
        num_blocks=num_blocks,
        ttl_s=draw(st.sampled_from([0.5, 5.0, 100.0, math.inf])),
        limits=limits,
        num_tenants=draw(st.integers(1, 4)),
        most_prompt=most_prompt,
        most_answer=draw(st.integers(1, min(num_tokens - most_prompt, 150))),
        seed=draw(st.integers(0, 2**32)),
    )


def live(shape: Shape, num_actions: int) -> Counter[str]:
    """Let a world act and come to its end; return what happened."""
    world = World(shape)
    for _ in range(num_actions):
        world.act()
    world.drain()
    world.events["evicted"] = world.pool.num_evicted
    return world.events


@settings(max_examples=90)
@given(shapes())
def test_random_worlds_keep_every_rule(shape: Shape) -> None:
    """No leak, no double use, no block written that others rely on; every request ends."""
    events = live(shape, 1000)

    assert events["finished"] + events["cancelled"] > 0


def test_long_life_meets_everything_and_keeps_every_rule() -> None:
    """What the random worlds are to protect really happens in them, many times over."""
    limits = Limits(8, 16, max_batch_tokens=64, mixed_prompt_tokens=24, patience_s=2.0)
    events = Counter[str]()
    for num_blocks, ttl_s in ((12, 3.0), (20, math.inf)):
        events += live(Shape(num_blocks, ttl_s, limits, 3, 150, 100, seed=1), 5000)

    happened = "finished cancelled refused preempted copied forked found evicted forced accepted"
    assert min(events[name] for name in happened.split()) > 100, events
