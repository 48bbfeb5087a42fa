"""A plan for people: its order, its reasons, its bounds, and no more rows than anybody tries."""

import re

import msgspec
import pytest

from slipstream.cli import plans
from slipstream.server.routing_answers import PlannedTry, planned_call
from tests.server.plan_samples import RACE

PLAN = planned_call("auto:race", RACE)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed, every run of white space as one space."""
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_plan_is_shown_in_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Name, sizes; each try with cost, times and reason; what was left, and the bounds."""
    plans.show(PLAN)
    text = shown(capsys)
    assert "auto:race → auto: race, 2 of 3 targets to try" in text
    assert "about 1,200 to 1,250 tokens to read, 280 to 300 to write" in text
    assert "1 groq/openai/gpt-oss-20b 0.123457 123 ms 1.5 s expected to say something" in text
    assert "2 deepinfra/openai/gpt-oss-120b (key 2) <0.000001 runs beside" in text
    assert "left, it does not offer images: cerebras/gpt-oss-120b" in text
    assert "at most 4 attempts; first token within 30 s; 600 s in all" in text
    assert "up to 2 at once, the next after 250 ms" in text
    assert "left below 20 tokens/s" in text


def test_race_that_starts_at_once_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A hedge delay of zero is no delay."""
    plans.show(msgspec.structs.replace(PLAN, hedge_s=0.0, max_runners=3))
    assert "3 start at once" in shown(capsys)


def test_targets_left_for_one_reason_stand_together(capsys: pytest.CaptureFixture[str]) -> None:
    """Forty targets that cannot see images are one line."""
    left = PLAN.candidates[0]
    more = [msgspec.structs.replace(left, target=f"lab/{n}") for n in range(3)]
    plans.show(msgspec.structs.replace(PLAN, candidates=[*PLAN.candidates, *more]))
    text = shown(capsys)
    assert text.count("it does not offer images") == 1
    assert "cerebras/gpt-oss-120b, lab/0, lab/1, lab/2" in text


def test_long_plan_is_cut_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """With four attempts the fortieth target is of no interest; JSON has it."""
    taken = PLAN.candidates[1]
    many = [msgspec.structs.replace(taken, target=f"lab/m{n}") for n in range(40)]
    tries = [PlannedTry(each.target, "default") for each in many]
    plans.show(msgspec.structs.replace(PLAN, candidates=many, tries=tries))
    text = shown(capsys)
    assert "lab/m9 " in text
    assert "lab/m10 " not in text
    assert "and 30 more after them; --json tells of all" in text


def test_request_that_nobody_serves_says_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The reasons stand below, so the sentence is cut where it would name them again."""
    problem = "No target of 'auto' can serve this request as it is: a: x; b: y."
    left = [each for each in PLAN.candidates if not each.is_taken]
    plans.show(msgspec.structs.replace(PLAN, problem=problem, tries=[], candidates=left))
    text = shown(capsys)
    assert "auto:race → auto: No target of 'auto' can serve this request as it is. left" in text


def test_candidate_without_a_price_is_not_free(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown cost is said to be unknown."""
    unpriced = msgspec.structs.replace(PLAN.candidates[1], expected_cost_usd=None)
    plans.show(msgspec.structs.replace(PLAN, candidates=[unpriced]))
    assert "1 groq/openai/gpt-oss-20b unknown 123 ms" in shown(capsys)
