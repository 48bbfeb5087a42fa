"""The canonical line: one line of pairs, whatever clients and providers wrote into it."""

import msgspec
import pytest

from slipstream.call import Call, Dialect, Receipt, Usage
from slipstream.choice import Deadlines, Plan, Target, Tried
from slipstream.errors import Busy, Exhausted, GatewayError, Rejected, Unauthorized
from slipstream.server.summary import Summary, quote


def call_of(model: str) -> Call:
    """Return a call of a model."""
    return Call(
        call_id="req-1",
        dialect=Dialect.OPENAI_CHAT,
        body=b"secret prompt",
        model=model,
        key_id="key-1",
        is_stream=True,
    )


def summary_of(
    call: Call | None = None,
    receipt: Receipt | None = None,
    error: GatewayError | None = None,
    *,
    is_gone: bool = False,
) -> Summary:
    """Return a summary with ordinary times."""
    return Summary(
        call_id="req-1",
        call=call,
        receipt=receipt,
        error=error,
        status=200,
        is_gone=is_gone,
        first_s=None if receipt is None else 0.0123,
        total_s=0.0456,
    )


def pairs_of(summary: Summary) -> dict[str, str]:
    """Return the line's pairs, after checking that it is one line of pairs."""
    line = summary.line()
    assert line.isascii()
    assert line.isprintable()
    _, *words = line.split(" ")
    return dict(word.split("=", 1) for word in words)


def test_line_of_an_answer_has_all_figures() -> None:
    """Ids, target, attempts, tokens, cost and times; never a body."""
    receipt = Receipt(
        attempt_id="a",
        target=Target("lab", "m"),
        num_attempts=2,
        usage=Usage(input_tokens=3, output_tokens=4),
        cost_usd_pico=5_000_000,
    )
    summary = summary_of(call_of("chain"), receipt)
    pairs = pairs_of(summary)

    assert pairs["call"] == "req-1"
    assert pairs["key"] == "key-1"
    assert (pairs["model"], pairs["target"], pairs["stream"]) == ("chain", "lab/m", "1")
    assert (pairs["in"], pairs["out"], pairs["attempts"]) == ("3", "4", "2")
    assert pairs["cost_usd"] == "0.000005"
    assert (pairs["first_ms"], pairs["total_ms"]) == ("12.3", "45.6")
    assert pairs["outcome"] == "ok"
    assert "secret" not in summary.line()


def test_line_has_the_same_pairs_for_every_ending() -> None:
    """A column stays a column."""
    exhausted = Exhausted((("a/b", Busy("x")), ("c/d", Busy("y"))))
    receipt = Receipt(attempt_id="a", target=Target("l", "m"), num_attempts=1)
    summaries = [
        summary_of(),
        summary_of(error=Unauthorized("x")),
        summary_of(call_of("m"), error=exhausted),
        summary_of(call_of("m"), receipt, is_gone=True),
    ]

    assert len({tuple(pairs_of(summary)) for summary in summaries}) == 1
    assert [pairs_of(summary)["outcome"] for summary in summaries] == [
        "ok",
        "invalid_api_key",
        "all_targets_failed",
        "client_gone",
    ]
    assert pairs_of(summaries[2])["target"] == "c/d"
    assert pairs_of(summaries[2])["attempts"] == "2"


def test_line_tells_of_a_choice() -> None:
    """Route, strategy and each attempt, of answers and of errors; `-` where there was none."""
    first, second = Target("lab", "a b"), Target("spare", "m")
    plan = Plan(
        route="my auto",
        strategy="race",
        targets=(first, second),
        deadlines=Deadlines(),
        max_attempts=2,
    )
    tried = (
        Tried(target=first, cause="first", outcome="outraced", took_s=1.0),
        Tried(target=second, cause="hedge", outcome="ok", took_s=0.5),
    )
    begun = Receipt(attempt_id="b", target=second, num_attempts=2, plan=plan, tried=tried)
    ended = Receipt(attempt_id="b", target=second, num_attempts=2, state="complete")
    answered = msgspec.structs.replace(summary_of(call_of("m"), ended), begun=begun)
    error = Exhausted((("lab/a b", Busy("x")), ("spare/m", Busy("y"))), plan=plan, tried=tried)
    for summary in (answered, summary_of(call_of("m"), error=error)):
        pairs = pairs_of(summary)
        assert pairs["route"] == '"my\\u0020auto"'
        assert pairs["strategy"] == "race"
        assert pairs["tried"] == "lab/a%20b=outraced,spare/m=ok"
    plain = pairs_of(msgspec.structs.replace(answered, begun=ended))
    assert (plain["route"], plain["strategy"], plain["tried"]) == ("-", "-", "-")
    assert list(plain) == list(pairs_of(answered))


@pytest.mark.parametrize(
    "word",
    [
        'a" outcome="ok',
        "line\nfake line",
        "bell\x07 esc\x1b[31m del\x7f csi\x9b31m",
        "nel\x85 ls\u2028 ps\u2029",
        "rtl\u202e override é 漢",
        "lone \ud800",
        "x" * 10_000,
        "",
    ],
)
def test_words_of_others_stay_one_word(word: str) -> None:
    """A model's name and a provider's error code cannot forge a line or drive a terminal."""
    error = Rejected("no", upstream_status=400, code=word)
    receipt = Receipt(attempt_id="a", target=Target("lab", word), num_attempts=1)
    pairs = pairs_of(summary_of(call_of(word), receipt, error))

    assert len(pairs_of(summary_of())) == len(pairs)
    assert all(len(value) < 1_500 for value in pairs.values())


def test_quote_leaves_plain_words_alone() -> None:
    """What is plain reads as it was written."""
    assert quote("cerebras/gpt-oss-120b:free") == "cerebras/gpt-oss-120b:free"
    assert quote("two words") == '"two\\u0020words"'
