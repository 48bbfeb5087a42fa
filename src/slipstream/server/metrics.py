"""Counters of what was served, in Prometheus' text format.

Kept as plain numbers and turned into metric families only when somebody looks, so that counting
costs a request well under a microsecond.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from slipstream.call import Receipt
from slipstream.engine.protocol import Stats
from slipstream.server.engine_metrics import engine_families

# Upper bounds in seconds: from a cache's answer to a long completion.
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
# Targets are operator's and clients' words together; more go under "other". As many take 70 ms to
# render, in which nothing is answered.
_MAX_SERIES = 500


class _Series:
    """The numbers of one (target, status)."""

    __slots__ = ("buckets", "cost_usd_pico", "input_tokens", "num", "output_tokens", "sum_s")

    def __init__(self) -> None:
        self.num = 0
        self.sum_s = 0.0
        self.buckets = [0] * (len(_BOUNDS_S) + 1)
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd_pico = 0


class Metrics(Collector):
    """Counts requests and what they used."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, int], _Series] = {}
        self.num_active = 0
        self._engines: Callable[[], Mapping[str, Stats]] = dict
        self._routing: Callable[[], Iterable[Metric]] = tuple
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def show_engines(self, figures: Callable[[], Mapping[str, Stats]]) -> None:
        """Render also what the engines of our own models say, by model; asked at each look."""
        self._engines = figures

    def show_routing(self, families: Callable[[], Iterable[Metric]]) -> None:
        """Render also what is told of attempts and targets; asked at each look."""
        self._routing = families

    def count(self, target: str, status: int, total_s: float, receipt: Receipt | None) -> None:
        """Count one finished request."""
        series = self._series.get((target, status))
        if series is None:
            series = self._open_series(target, status)
        series.num += 1
        series.sum_s += total_s
        series.buckets[bisect_left(_BOUNDS_S, total_s)] += 1
        if receipt is not None and receipt.usage is not None:
            series.input_tokens += receipt.usage.total_input_tokens
            series.output_tokens += receipt.usage.total_output_tokens
            series.cost_usd_pico += receipt.cost_usd_pico or 0

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families; called by the registry."""
        labels = ("target", "status")
        seconds = HistogramMetricFamily(
            "slipstream_request_seconds", "Time from request to last byte", labels=labels
        )
        tokens = CounterMetricFamily(
            "slipstream_tokens", "Tokens read and written", labels=("target", "status", "side")
        )
        cost = CounterMetricFamily(
            "slipstream_cost_usd", "Cost where the price is known", labels=labels
        )
        for (target, status), series in self._series.items():
            names = (target, str(status))
            seconds.add_metric(names, _cumulative(series.buckets), series.sum_s)
            tokens.add_metric((*names, "input"), series.input_tokens)
            tokens.add_metric((*names, "output"), series.output_tokens)
            cost.add_metric(names, series.cost_usd_pico / 1e12)
        yield seconds
        yield tokens
        yield cost
        yield GaugeMetricFamily(
            "slipstream_requests_active", "Requests in progress", self.num_active
        )
        yield from engine_families(self._engines())
        yield from self._routing()

    def _open_series(self, target: str, status: int) -> _Series:
        if len(self._series) >= _MAX_SERIES:
            target = "other"
        return self._series.setdefault((target, status), _Series())


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0
    pairs: list[tuple[str, float]] = []
    for bound, num in zip((*_BOUNDS_S, None), buckets, strict=True):
        total += num
        pairs.append(("+Inf" if bound is None else str(bound), total))
    return pairs
