"""How targets stand, for people: a state in words, what was measured, and what room is left."""

import re

import msgspec
import pytest

from slipstream.cli import standings
from slipstream.server.routing_answers import TargetList, target_list
from tests.server.plan_samples import CHEAP, STANDINGS, breaker, key, standing


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed, every run of white space as one space."""
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_each_target_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Times, speed, failures; below, why one is left alone or on trial, and what room there is."""
    standings.show(target_list(STANDINGS))
    text = shown(capsys)
    assert "groq/openai/gpt-oss-20b well 2 200 ms 1.2 s 99 25.0%" in text
    assert "groq/openai/gpt-oss-20b: room for 17 requests" in text
    assert "cerebras/gpt-oss-120b left alone 2" in text
    assert "cerebras/gpt-oss-120b: upstream_timeout; it is asked again in 12.3 s" in text
    assert "deepinfra/openai/gpt-oss-120b on trial 2" in text
    assert "deepinfra/openai/gpt-oss-120b: upstream_timeout; one request is finding out" in text


def test_several_keys_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Which of them is cooling, and what room each has."""
    keys = (
        key("1", breaker("key deepinfra#1", "open", 60.0), breaker("lane x"), requests=0.0),
        key("2", breaker("key deepinfra#2", "half_open"), requests=1.0),
    )
    standings.show(target_list([msgspec.structs.replace(standing(CHEAP), keys=keys)]))
    text = shown(capsys)
    name = "deepinfra/openai/gpt-oss-120b"
    assert f"{name} (key 1): upstream_timeout; it is asked again in 60.0 s" in text
    assert f"{name} (key 1): room for 0 requests" in text
    assert f"{name} (key 2): upstream_timeout; the next request finds out" in text
    assert f"{name} (key 2): room for 1 request" in text


def test_targets_of_which_nothing_is_known_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`auto` thinks of dozens, and asks a few."""
    idle = msgspec.structs.replace(
        standing(CHEAP), samples=0.0, in_flight=0, keys=(key("default", breaker("key x")),)
    )
    standings.show(target_list([*STANDINGS, idle, idle]))
    text = shown(capsys)
    assert "Nothing is known yet of 2 other targets." in text


def test_nothing_asked_yet_is_a_friendly_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No table of nothing."""
    standings.show(TargetList(data=[]))
    assert "No target was asked yet" in capsys.readouterr().out
