"""Headers that tell of a choice: what they say, that they stay bounded and readable, and when."""

import re
from string import printable

import pytest

from slipstream.choice import Deadlines, Plan, Strategy, Target, Tried, Weighed
from slipstream.server.explain import (
    MAX_CONSIDERED_CHARS,
    MAX_LOGGED_CHARS,
    MAX_TRIED_CHARS,
    encoded_name,
    routing_headers,
    tried_text,
    tried_word,
)

A, B = Target("lab", "a"), Target("spare", "org/b", "2")


def plan_of(*weighed: Weighed, route: str = "auto", strategy: Strategy = "cheapest") -> Plan:
    """Return a plan of two targets."""
    return Plan(
        route=route,
        strategy=strategy,
        targets=(A, B),
        deadlines=Deadlines(),
        max_attempts=4,
        weighed=weighed,
    )


def tried_of(*pairs: tuple[Target, str]) -> tuple[Tried, ...]:
    """Return what came of attempts, one after another."""
    return tuple(
        Tried(target=target, cause="fallback" if number else "first", outcome=word, took_s=0.1)
        for number, (target, word) in enumerate(pairs)
    )


def told(plan: Plan | None, *pairs: tuple[Target, str]) -> dict[str, str]:
    """Return the headers as a client reads them."""
    headers = routing_headers(plan, tried_of(*pairs))
    return {name.decode(): value.decode() for name, value in headers}


def test_no_choice_has_no_headers() -> None:
    """Where nothing was chosen nothing is told."""
    assert routing_headers(None) == []


def test_headers_name_the_route_and_each_attempt_in_order() -> None:
    """What was tried is read from left to right."""
    assert told(plan_of(), (A, "upstream_timeout"), (B, "ok")) == {
        "x-slipstream-route": "auto; cheapest",
        "x-slipstream-tried": "lab/a=upstream_timeout, spare/org/b=ok",
    }


def test_plan_without_an_attempt_tells_its_route_alone() -> None:
    """A call may end before anything was tried."""
    assert told(plan_of()) == {"x-slipstream-route": "auto; cheapest"}


def test_considered_says_what_was_thought_of_each_candidate() -> None:
    """Taken or left, why, for how much and how soon; what is unknown is not there."""
    taken = Weighed(
        target=A,
        reason="the cheapest",
        is_taken=True,
        cost_usd_pico=120_000_000,
        first_token_s=0.21,
        total_s=1.4,
    )
    left = Weighed(target=B, reason='no "tools", 100% sure', is_taken=False, cost_usd_pico=0)
    assert told(plan_of(taken, left))["x-slipstream-considered"] == (
        'lab/a;taken="the cheapest";usd=0.00012;first=0.210;total=1.400, '
        'spare/org/b;left="no %22tools%22, 100%25 sure";usd=0'
    )


@pytest.mark.parametrize("number", [1, 20, 1000])
def test_headers_are_bounded_and_count_what_did_not_fit(number: int) -> None:
    """A thousand candidates do not make a head that a server in between refuses."""
    many = [Target("provider", f"model-{n}") for n in range(number)]
    weighed = [Weighed(target=t, reason="it is slower " * 20, is_taken=True) for t in many]
    headers = told(plan_of(*weighed), *((target, "upstream_timeout") for target in many))
    for name, most in (("tried", MAX_TRIED_CHARS), ("considered", MAX_CONSIDERED_CHARS)):
        text = headers[f"x-slipstream-{name}"]
        shown = [part for part in text.split(", ") if not part.startswith("+")]
        more = re.search(r"\+(\d+)$", text)
        assert len(text) <= most
        assert len(shown) + (int(more[1]) if more else 0) == number


def test_word_of_the_log_is_one_word() -> None:
    """It is shorter than the header, without a space, and counts what is left out, too."""
    many = [(Target("provider", f"model-{n}"), "ok") for n in range(50)]
    word = tried_word(tried_of(*many))
    assert " " not in word
    assert len(word) <= MAX_LOGGED_CHARS
    assert re.search(r",\+\d\d$", word)
    assert tried_word(()) == tried_text(()) == ""


@pytest.mark.parametrize(
    "name",
    [
        'a, b="c"; d',
        "line\r\nset-cookie: x",
        "é 漢 \x00\x7f\u2028",
        "lone \ud800",
        "x" * 10_000,
        printable,
        "+3",
    ],
    ids=["delimiters", "line ends", "other letters", "half a letter", "long", "all", "count"],
)
def test_names_of_others_cannot_end_a_list_or_begin_a_header(name: str) -> None:
    """Clients name models, providers name errors: both are words of one list."""
    target = Target("lab", name)
    weighed = Weighed(target=target, reason=name, is_taken=False)
    headers = told(plan_of(weighed, route=name), (target, name), (A, "ok"))
    for text in headers.values():
        assert text.isascii()
        assert text.isprintable()
    route = headers["x-slipstream-route"]
    assert route.count(";") == 1
    assert headers["x-slipstream-tried"].count(", ") == 1
    assert headers["x-slipstream-tried"].count("=") == 2
    assert headers["x-slipstream-considered"].count('"') == 2


def test_plain_names_are_as_they_were_written() -> None:
    """What a person reads is not encoded without need."""
    name = "deepinfra/meta-llama/Llama-3.3-70B@eu:free"
    assert encoded_name(name) == name
