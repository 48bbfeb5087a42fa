"""Attempts and breakers as metrics: what is counted where, and that labels stay bounded."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from slipstream.call import Outcome, State, Usage
from slipstream.choice import Attempt, Cause, Deadlines, Target
from slipstream.errors import Rejected, StreamCut, TimedOut
from slipstream.server import routing_metrics
from slipstream.server.metrics import Metrics
from slipstream.server.routing_metrics import AttemptCounts, routing_families
from tests.server.plan_samples import STANDINGS, standing


def outcome(
    target: Target, state: State, error: Exception | None = None, cause: Cause = "first"
) -> Outcome:
    """Return what came of an attempt."""
    attempt = Attempt(
        attempt_id="a-1",
        number=1,
        route="auto",
        target=target,
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=0.0,
        cause=cause,
    )
    return Outcome(
        attempt=attempt,
        state=state,
        error=error,
        usage=Usage(),
        cost_usd_pico=0,
        first_token_s=None,
        total_s=1.0,
        held_s=0.0,
        body_bytes=10,
    )


def shown(counts: AttemptCounts) -> list[str]:
    """Return the lines that are no comments, as the endpoint renders them."""
    metrics = Metrics()
    metrics.show_routing(lambda: routing_families(counts, lambda: STANDINGS))
    lines = metrics.render().decode().split("\n")
    return [line for line in lines if "attempts_total{" in line or "breaker_state{" in line]


def test_attempts_are_counted_by_target_cause_and_outcome() -> None:
    """Each that is settled, once; a loser of a race is no failure."""
    counts = AttemptCounts()
    lab = Target("lab", "m", "2")
    counts.note(outcome(lab, "complete"))
    counts.note(outcome(Target("lab", "m"), "complete"))
    counts.note(outcome(lab, "outraced", cause="hedge"))
    counts.note(outcome(lab, "failed", TimedOut("first_token", 1.0), "fallback"))
    counts.note(outcome(lab, "cut", StreamCut("x")))
    lines = shown(counts)

    def line(cause: str, word: str, count: float) -> str:
        labels = f'cause="{cause}",outcome="{word}",target="lab/m"'
        return f"slipstream_attempts_total{{{labels}}} {count}"

    assert line("first", "complete", 2.0) in lines
    assert line("hedge", "outraced", 1.0) in lines
    assert line("fallback", "upstream_timeout", 1.0) in lines
    assert line("first", "upstream_stream_cut", 1.0) in lines


def test_breakers_are_shown_as_they_are_now() -> None:
    """0 closed, 1 half-open, 2 open."""
    lines = shown(AttemptCounts())
    assert 'slipstream_breaker_state{target="groq/openai/gpt-oss-20b"} 0.0' in lines
    assert 'slipstream_breaker_state{target="deepinfra/openai/gpt-oss-120b"} 1.0' in lines
    assert 'slipstream_breaker_state{target="cerebras/gpt-oss-120b"} 2.0' in lines


def test_words_of_providers_are_no_labels() -> None:
    """A provider with a code for each error would fill the memory of whoever scrapes."""
    counts = AttemptCounts()
    for number in range(50):
        error = Rejected("no", upstream_status=500, code=f"code-{number}")
        counts.note(outcome(Target("lab", "m"), "failed", error))
    counts.note(outcome(Target("lab", "m"), "failed", OSError("a defect of ours")))
    attempts = [line for line in shown(counts) if "attempts_total" in line]
    assert len(attempts) == 2
    assert 'outcome="upstream_error",target="lab/m"} 50.0' in attempts[0]
    assert 'outcome="error"' in attempts[1]


def test_targets_over_the_bound_are_counted_together() -> None:
    """Clients name ever new models; nothing is lost from the sum."""
    counts = AttemptCounts()
    extra = 5
    for number in range(routing_metrics._MAX_SERIES + extra):
        counts.note(outcome(Target("lab", f"m-{number}"), "complete"))
    attempts = [line for line in shown(counts) if "attempts_total" in line]
    assert len(attempts) == routing_metrics._MAX_SERIES + 1
    assert f'target="other"}} {extra}.0' in attempts[-1]


def test_breakers_over_the_bound_are_left_out() -> None:
    """There are as many lanes as clients name models; what is in trouble is shown first."""

    most = routing_metrics._MAX_TARGETS

    class Look(Collector):
        def collect(self) -> Iterator[Metric]:
            many = [standing(Target("lab", f"m-{n}")) for n in range(2 * most)] + STANDINGS
            return routing_families(AttemptCounts(), lambda: many)

    registry = CollectorRegistry()
    registry.register(Look())
    text = generate_latest(registry).decode()
    assert text.count("slipstream_breaker_state{") == most
    assert 'target="cerebras/gpt-oss-120b"} 2.0' in text
