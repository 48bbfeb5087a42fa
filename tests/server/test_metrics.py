"""Counters: what is counted where, that they are bounded, and that any name can be shown."""

from slipstream.call import Receipt, Usage
from slipstream.choice import Target
from slipstream.server import metrics as metrics_module
from slipstream.server.metrics import Metrics
from tests.upstream.played_engine import stats_of

RECEIPT = Receipt(
    attempt_id="a",
    target=Target("lab", "m"),
    num_attempts=1,
    usage=Usage(input_tokens=3, cache_read_tokens=2, output_tokens=7),
    cost_usd_pico=1_500_000_000,
)


def shown(metrics: Metrics) -> list[str]:
    """Return the lines that are no comments."""
    return [line for line in metrics.render().decode().split("\n") if not line.startswith("#")]


def test_requests_are_counted_by_target_and_status() -> None:
    """Time, tokens and cost add up for each pair."""
    metrics = Metrics()
    metrics.count("lab/m", 200, 0.2, RECEIPT)
    metrics.count("lab/m", 200, 0.4, RECEIPT)
    metrics.count("lab/m", 502, 9.0, None)
    metrics.num_active = 4
    lines = shown(metrics)

    assert 'slipstream_request_seconds_count{status="200",target="lab/m"} 2.0' in lines
    assert 'slipstream_request_seconds_count{status="502",target="lab/m"} 1.0' in lines
    assert 'slipstream_tokens_total{side="input",status="200",target="lab/m"} 10.0' in lines
    assert 'slipstream_tokens_total{side="output",status="200",target="lab/m"} 14.0' in lines
    assert 'slipstream_cost_usd_total{status="200",target="lab/m"} 0.003' in lines
    assert "slipstream_requests_active 4.0" in lines


def test_histogram_is_cumulative_and_its_bounds_are_inclusive() -> None:
    """A time on a bound counts below it, as Prometheus reads `le`."""
    metrics = Metrics()
    for total_s in (0.005, 0.0051, 300.0, 301.0):
        metrics.count("t", 200, total_s, None)
    counts = [float(line.rpartition(" ")[2]) for line in shown(metrics) if "seconds_bucket" in line]

    assert counts == sorted(counts)
    assert counts[:2] == [1.0, 2.0]
    assert counts[-2:] == [3.0, 4.0]


def test_names_of_any_characters_stay_one_line() -> None:
    """A client's word cannot forge a metric."""
    metrics = Metrics()
    metrics.count('a"} 1\nfake 1\n\\', 200, 0.1, None)

    assert not any(line.startswith("fake") for line in shown(metrics))


def test_series_over_the_bound_are_counted_together() -> None:
    """Clients that name ever new models fill a bounded table; nothing is lost from the sum."""
    metrics = Metrics()
    extra = 5
    for number in range(metrics_module._MAX_SERIES + extra):
        metrics.count(f"lab/{number}", 200, 0.1, None)
    counts = [line for line in shown(metrics) if "seconds_count" in line]

    assert len(counts) == metrics_module._MAX_SERIES + 1
    assert f'target="other"}} {extra}.0' in counts[-1]


def test_unknown_cost_adds_nothing() -> None:
    """An answer whose price is unknown is counted without one."""
    metrics = Metrics()
    free = Receipt(attempt_id="a", target=Target("l", "m"), num_attempts=1, usage=Usage())
    metrics.count("l/m", 200, 0.1, free)

    assert 'slipstream_cost_usd_total{status="200",target="l/m"} 0.0' in shown(metrics)


def test_engines_are_asked_at_each_look() -> None:
    """What an engine says stands beside the rest, as it is when somebody looks."""
    metrics = Metrics()
    assert not any("engine" in line for line in shown(metrics))
    engines = {"m": stats_of(0)}
    metrics.show_engines(lambda: engines)

    assert 'slipstream_engine_requests_running{model="m"} 1.0' in shown(metrics)
    engines.clear()
    assert not any("engine" in line for line in shown(metrics))
