"""What the engines of our own models say of themselves, as Prometheus' metric families.

A counter begins again at 0 with its model's process, as Prometheus expects of counters.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from slipstream.engine.protocol import Stats

PREFIX: Final = "slipstream_engine_"


class _Family(NamedTuple):
    """One family: the attribute of `Stats` whose value each set of further labels has."""

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    text: str
    attributes: dict[tuple[str, ...], str]
    labels: tuple[str, ...] = ()


def _gauge(name: str, text: str, attribute: str) -> _Family:
    return _Family(GaugeMetricFamily, name, text, {(): attribute})


def _counter(name: str, text: str, attribute: str) -> _Family:
    return _Family(CounterMetricFamily, name, text, {(): attribute})


_FAMILIES: Final = (
    _gauge("tokens_per_second", "Tokens of answers, over the last seconds of work", "tokens_per_s"),
    _gauge("requests_running", "Answers that are being written", "num_running"),
    _gauge("requests_waiting", "Requests that wait for a place", "num_waiting"),
    _gauge("wait_seconds", "Estimated wait of a request that comes now", "wait_s"),
    _gauge("blocks", "Blocks of the attention cache", "num_blocks"),
    _gauge(
        "blocks_free", "Blocks that no request holds, cached ones among them", "num_free_blocks"
    ),
    _gauge("blocks_cached", "Blocks that hold a prefix for later", "num_cached_blocks"),
    _counter("steps", "Steps of the model", "num_steps"),
    _counter("prompt_tokens", "Prompt tokens that were computed", "prompt_tokens"),
    _counter("cached_prompt_tokens", "Prompt tokens found in the cache", "cached_tokens"),
    _counter("completion_tokens", "Tokens of answers", "completion_tokens"),
    _Family(
        CounterMetricFamily,
        "draft_tokens",
        "Guessed tokens by where the guess came from",
        {
            ("prediction", "accepted"): "prediction_accepted_tokens",
            ("prediction", "rejected"): "prediction_rejected_tokens",
            ("lookup", "accepted"): "lookup_accepted_tokens",
            ("lookup", "rejected"): "lookup_rejected_tokens",
        },
        ("source", "outcome"),
    ),
    _counter("forced_tokens", "Tokens that a grammar left no choice in", "forced_tokens"),
    _counter("preemptions", "Answers interrupted because the cache was full", "num_preemptions"),
    _counter("busy_seconds", "Time spent in steps", "busy_s"),
    _counter("runner_seconds", "Of that, time in the runner", "runner_s"),
)


def engine_families(figures: Mapping[str, Stats]) -> Iterator[Metric]:
    """Yield the families of these models; none where no model runs."""
    if not figures:
        return
    for row in _FAMILIES:
        family = row.kind(PREFIX + row.name, row.text, labels=("model", *row.labels))
        for model, stats in figures.items():
            for labels, attribute in row.attributes.items():
                family.add_metric((model, *labels), getattr(stats, attribute))
        yield family
