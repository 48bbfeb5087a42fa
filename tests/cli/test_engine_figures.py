"""The engines' figures as `/metrics` tells them, and what a person wants to know of them."""

import msgspec

from slipstream.cli.engine_figures import Busyness, busyness_of, read_figures
from slipstream.engine.figures import no_stats
from slipstream.engine.protocol import Stats
from tests.cli.played_gateway import KEY, played_gateway

STATS = msgspec.structs.replace(
    no_stats(0),
    num_running=2,
    num_waiting=1,
    num_blocks=100,
    num_free_blocks=75,
    prompt_tokens=300,
    cached_tokens=100,
    completion_tokens=50,
    prediction_accepted_tokens=5,
    prediction_rejected_tokens=2,
    lookup_accepted_tokens=1,
    lookup_rejected_tokens=4,
    tokens_per_s=117.5,
)


def read(figures: dict[str, Stats], key: str | None = KEY) -> dict[str, dict[str, float]]:
    """Read figures as a gateway renders them."""
    with played_gateway({}, figures) as port:
        return read_figures(f"http://127.0.0.1:{port}", key)


def test_read_figures_gives_every_figure_by_model() -> None:
    """Names are those of the metrics; labels beside the model's follow behind a point."""
    figures = read({"a": STATS, "b": no_stats(0)})
    assert set(figures) == {"a", "b"}
    assert figures["a"]["completion_tokens_total"] == 50
    assert figures["b"]["completion_tokens_total"] == 0
    drafts = {name: value for name, value in figures["a"].items() if "draft" in name}
    assert sorted(drafts.values()) == [1, 2, 4, 5]
    assert drafts["draft_tokens_total.accepted.prediction"] == 5


def test_read_figures_without_key_or_gateway_gives_none() -> None:
    """What cannot be read is left out; nothing fails for it."""
    assert read({"a": STATS}, None) == {}
    assert read({"a": STATS}, "sk-wrong") == {}
    assert read_figures("http://127.0.0.1:9", KEY) == {}


def test_busyness_says_shares_of_what_there_is() -> None:
    """Each share has its own whole."""
    assert busyness_of(read({"a": STATS})["a"]) == Busyness(
        num_running=2,
        num_waiting=1,
        tokens_per_s=117.5,
        blocks_used_ratio=0.25,
        cached_prompt_ratio=0.25,
        drafts_right_ratio=0.5,
    )


def test_busyness_of_an_engine_that_did_nothing_divides_nothing() -> None:
    """Before the first prompt and the first guess there is no share."""
    fresh = busyness_of(read({"a": no_stats(0)})["a"])
    assert (fresh.cached_prompt_ratio, fresh.drafts_right_ratio) == (None, None)
    assert (fresh.num_running, fresh.blocks_used_ratio) == (0, 0.0)
