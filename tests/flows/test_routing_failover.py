"""Real processes: a provider breaks under traffic, and no client notices; the books agree.

`python -m bench.failover.run` does the same at length, with figures; here only counts are tested.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.failover.faults import FAULTS
from bench.failover.run import STRATEGIES, Plan, fail_over, judge

# Each strategy meets two of the faults, and each fault at least one strategy.
_SHARES = {
    "ordered": ("killed", "says nothing"),
    "weighted": ("stalls after its headers", "error in a 200"),
    "cheapest": ("429 with Retry-After", "frozen"),
    "fastest": ("no HTTP, at once", "cut before the first token"),
    "balanced": ("a web page, at once", "killed"),
    "race": ("500 now and then", "empty answers"),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_provider_that_breaks_is_not_noticed_and_comes_back(
    tmp_path: Path, strategy: str
) -> None:
    """No failed request, traffic for who is well again, one row for each attempt, equal sums."""
    faults = [fault for fault in FAULTS if fault.name in _SHARES[strategy]]
    plan = Plan(
        num_requests=300,
        faults=faults,
        num_clients=8,
        per_s=150.0,
        first_token_s=0.5,
        fault_s=0.5,
        num_least=60,
    )
    seen = await fail_over(tmp_path, strategy, plan)
    assert seen.failures == {}
    # All rules but the one of time: a busy machine breaks no promise.
    assert all(judge(seen, replace(plan, first_token_s=60.0)).values()), judge(seen, plan)
    assert None not in seen.back_after_s.values(), seen.back_after_s
    assert set(seen.back_after_s) == set(_SHARES[strategy])
    assert seen.complaints == []
    assert seen.num_requests >= plan.num_requests
    assert seen.exit_status == 0


def test_every_fault_is_met() -> None:
    """The shares cover the table, and name nothing else."""
    assert {name for names in _SHARES.values() for name in names} == {f.name for f in FAULTS}
