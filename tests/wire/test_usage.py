"""Usage of every provider into disjoint buckets that add up to the provider's own totals."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.wire.usage import MAX_COST_USD, read_usage

# (provider, what it sends, what it means). Source: providers.md, "Usage accounting differences".
REPORTS: list[tuple[str, dict[str, Any], Usage]] = [
    ("plain", {"prompt_tokens": 7, "completion_tokens": 5}, Usage(input_tokens=7, output_tokens=5)),
    (
        "openai",
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {
                "cached_tokens": 60,
                "cache_write_tokens": 10,
                "audio_tokens": 5,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 20,
                "audio_tokens": 3,
                "accepted_prediction_tokens": 4,
                "rejected_prediction_tokens": 6,
            },
        },
        Usage(
            input_tokens=25,
            cache_read_tokens=60,
            cache_write_5m_tokens=10,
            input_audio_tokens=5,
            output_tokens=17,
            output_reasoning_tokens=20,
            output_audio_tokens=3,
            prediction_accepted_tokens=4,
            prediction_rejected_tokens=6,
        ),
    ),
    (
        "groq",
        {
            "queue_time": 0.03,
            "prompt_tokens": 10,
            "prompt_time": 0.001,
            "completion_tokens": 9,
            "completion_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 19,
            "total_time": 0.03,
        },
        Usage(input_tokens=10, output_tokens=5, output_reasoning_tokens=4),
    ),
    (
        "cerebras",
        {
            "prompt_tokens": 30,
            "completion_tokens": 9,
            "total_tokens": 39,
            "prompt_tokens_details": {"cached_tokens": 20, "image_tokens": 4},
        },
        Usage(input_tokens=6, cache_read_tokens=20, input_image_tokens=4, output_tokens=9),
    ),
    (
        "mistral, num_cached_tokens",
        {"prompt_tokens": 8, "completion_tokens": 2, "num_cached_tokens": 3},
        Usage(input_tokens=5, cache_read_tokens=3, output_tokens=2),
    ),
    (
        "mistral, prompt_tokens_details",
        {
            "prompt_tokens": 8,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 3},
            "prompt_audio_seconds": {},
        },
        Usage(input_tokens=5, cache_read_tokens=3, output_tokens=2),
    ),
    (
        "mistral, prompt_token_details",
        {
            "prompt_tokens": 8,
            "completion_tokens": 2,
            "prompt_token_details": {"cached_tokens": 3},
        },
        Usage(input_tokens=5, cache_read_tokens=3, output_tokens=2),
    ),
    (
        "anthropic's compatible endpoint",
        {"prompt_tokens": 8, "completion_tokens": 2, "cached_tokens": 3},
        Usage(input_tokens=5, cache_read_tokens=3, output_tokens=2),
    ),
    (
        "openrouter",
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 12,
            "cost": 0.00014725,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": None},
            "prompt_tokens_details": {"cached_tokens": 0, "video_tokens": 0},
        },
        Usage(input_tokens=10, output_tokens=2, reported_cost_usd_pico=147_250_000),
    ),
    (
        "deepinfra",
        {
            "prompt_tokens": 10,
            "completion_tokens": 9,
            "total_tokens": 19,
            "estimated_cost": 0.0000268,
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
        Usage(
            input_tokens=10,
            output_tokens=5,
            output_reasoning_tokens=4,
            reported_cost_usd_pico=26_800_000,
        ),
    ),
    (
        "deepinfra, a model of Google's that thinks beside both totals",
        {
            "prompt_tokens": 10,
            "completion_tokens": 9,
            "total_tokens": 19,
            "estimated_cost": 0.5,
            "completion_tokens_details": {"reasoning_tokens": 40},
        },
        Usage(
            input_tokens=10,
            output_tokens=9,
            output_reasoning_tokens=40,
            reported_cost_usd_pico=5 * 10**11,
        ),
    ),
    (
        "another that says its cost in its own way",
        {"prompt_tokens": 1, "completion_tokens": 2, "cost": {"total_cost": 0.1}},
        Usage(input_tokens=1, output_tokens=2),
    ),
    (
        "nulls",
        {
            "prompt_tokens": 1,
            "completion_tokens": None,
            "total_tokens": None,
            "prompt_tokens_details": None,
            "completion_tokens_details": {"reasoning_tokens": None},
            "cost": None,
        },
        Usage(input_tokens=1),
    ),
    (
        "more cached than read",
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}},
        Usage(cache_read_tokens=5, output_tokens=1, is_estimate=True),
    ),
    (
        "negative part: the rest of the prompt is not lost with it",
        {"prompt_tokens": 5, "completion_tokens": 1, "num_cached_tokens": -9},
        Usage(input_tokens=5, output_tokens=1, is_estimate=True),
    ),
    (
        "negative totals",
        {"prompt_tokens": -5, "completion_tokens": -1},
        Usage(is_estimate=True),
    ),
]


def _read(report: dict[str, Any], *, is_reasoning_outside: bool = False) -> Usage:
    raw = json.dumps(report).encode()
    found = read_usage(raw, is_reasoning_outside=is_reasoning_outside)
    assert found is not None
    return found


@pytest.mark.parametrize(("report", "usage"), [r[1:] for r in REPORTS], ids=[r[0] for r in REPORTS])
def test_read_usage_report_of_a_provider_lands_in_disjoint_buckets(
    report: dict[str, Any], usage: Usage
) -> None:
    """Each provider's spelling means the same buckets."""
    assert _read(report) == usage


@pytest.mark.parametrize(
    ("total", "is_flagged", "reasoning", "text"),
    [
        (10 + 4 + 6, True, 6, 4),  # xAI as described: outside
        (10 + 4, True, 4, 0),  # the total says that it was inside: 6 do not fit into 4
        (None, True, 6, 4),  # nothing says otherwise
        (10 + 4 + 6, False, 6, 4),  # a Gemini model behind DeepInfra: outside, though not the rule
        (10 + 4, False, 4, 0),
        (999, False, 4, 0),
        (999, True, 6, 4),
    ],
)
def test_read_usage_reasoning_outside_is_folded_once(
    total: int | None, is_flagged: bool, reasoning: int, text: int
) -> None:
    """Reasoning beside `completion_tokens` is added once; a total that tells decides."""
    report = {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    usage = _read(report, is_reasoning_outside=is_flagged)
    assert (usage.output_reasoning_tokens, usage.output_tokens) == (reasoning, text)
    assert usage.is_estimate is (reasoning != 6)


def test_read_usage_reasoning_inside_is_not_added_though_the_row_says_outside() -> None:
    """Where the total shows that reasoning was counted already it is not billed twice."""
    report = {
        "prompt_tokens": 10,
        "completion_tokens": 9,
        "total_tokens": 19,
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    usage = _read(report, is_reasoning_outside=True)
    assert (usage.output_reasoning_tokens, usage.output_tokens) == (6, 3)
    assert not usage.is_estimate


@pytest.mark.parametrize(
    ("cost", "usd_pico"),
    [
        ("0.1", 100_000_000_000),
        ("1.1e-05", 11_000_000),
        ("0", 0),
        ("0.000000000001", 1),
        ("0.0000000000004", 0),  # under a pico-dollar: rounded, half to even
        ("123456.789012345678", 123_456_789_012_345_678),
        ('"0.25"', 250_000_000_000),
        (str(MAX_COST_USD), MAX_COST_USD * 10**12),
        ("1000000.000001", None),
        ("-1", None),
        ("1e400", None),
        ("1e999999", None),
        ("1e99999999999", None),
        ("1e-999999", 0),
        ('"NaN"', None),
        ('"sNaN"', None),
        ('"Infinity"', None),
        ('"free"', None),
        ("true", None),
        ("[1]", None),
        ("null", None),
    ],
)
def test_read_usage_cost_is_exact_or_unknown(cost: str, usd_pico: int | None) -> None:
    """A reported cost is read as the decimal that it is; nonsense is unknown, never 0.

    Regression: `1e999999` raised `decimal.Overflow`, and a negative cost was believed.
    """
    raw = f'{{"prompt_tokens":1,"cost":{cost}}}'.encode()
    usage = read_usage(raw)
    assert usage is not None
    assert usage.reported_cost_usd_pico == usd_pico


@pytest.mark.parametrize(
    ("ticks", "usd_pico"), [(37_756_000, 3_775_600_000), (0, 0), (-1, None), (10**17, None)]
)
def test_read_usage_ticks_are_a_hundred_picos(ticks: int, usd_pico: int | None) -> None:
    """xAI's tick is 1e-10 USD."""
    usage = _read({"prompt_tokens": 1, "cost_in_usd_ticks": ticks})
    assert usage.reported_cost_usd_pico == usd_pico


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"5",
        b'"x"',
        b'{"total_tokens":5}',
        b'{"prompt_tokens":"5"}',
        b'{"prompt_tokens":1.5}',
        b'{"prompt_tokens":1,"completion_tokens_details":[]}',
        b'{"prompt_tokens":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"prompt_tokens":' + b"9" * 5000 + b"}",
    ],
)
def test_read_usage_without_readable_counts_is_none(raw: bytes) -> None:
    """An account that cannot be read is unknown; the answer that it came with is not refused.

    Regression: a usage of another shape made a good answer `Broken`.
    """
    assert read_usage(raw) is None


def test_read_usage_takes_raw_json_of_a_larger_message() -> None:
    """The side scan hands over the undecoded value."""
    raw = msgspec.json.decode(b'{"usage":{"prompt_tokens":3}}', type=dict[str, msgspec.Raw])
    assert read_usage(raw["usage"]) == Usage(input_tokens=3)


_count = st.integers(0, 10**7)


@st.composite
def _consistent(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a report whose parts fit into their wholes."""
    names_in = ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens")
    names_out = (
        "reasoning_tokens",
        "audio_tokens",
        "image_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
    )
    details_in = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names_in, _count)))
    details_out = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names_out, _count)))
    return {
        "prompt_tokens": draw(_count) + sum(details_in.values()),
        "completion_tokens": draw(_count) + sum(details_out.values()),
        "prompt_tokens_details": details_in,
        "completion_tokens_details": details_out,
    }


def _buckets(usage: Usage) -> list[int]:
    found = msgspec.structs.asdict(usage)
    return [value for name, value in found.items() if name.endswith(("_tokens", "_units"))]


@given(_consistent(), st.sampled_from(["absent", "inside", "outside"]))
def test_read_usage_buckets_add_up_to_the_totals(report: dict[str, Any], total: str) -> None:
    """Every token is in exactly one bucket, and none is lost."""
    read, written = report["prompt_tokens"], report["completion_tokens"]
    reasoning = report["completion_tokens_details"].get("reasoning_tokens", 0)
    if total != "absent":
        report["total_tokens"] = read + written + (reasoning if total == "outside" else 0)
    usage = _read(report, is_reasoning_outside=total == "outside")
    assert usage.total_input_tokens == read
    assert usage.total_output_tokens == written + (reasoning if total == "outside" else 0)
    assert usage.total_input_tokens + usage.total_output_tokens == sum(_buckets(usage))
    assert not usage.is_estimate


_any_count = st.integers(-(10**12), 10**12) | st.none()
_wild = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": _any_count,
        "completion_tokens": _any_count,
        "total_tokens": _any_count,
        "prompt_tokens_details": st.dictionaries(
            st.sampled_from(["cached_tokens", "audio_tokens", "cache_write_tokens"]), _any_count
        ),
        "completion_tokens_details": st.dictionaries(
            st.sampled_from(["reasoning_tokens", "audio_tokens", "image_tokens"]), _any_count
        ),
        "num_cached_tokens": _any_count,
        "cost": st.decimals(allow_nan=False, allow_infinity=False).map(float),
        "cost_in_usd_ticks": _any_count,
    },
)


@given(_wild, st.booleans())
def test_read_usage_contradictions_never_exceed_the_totals(
    report: dict[str, Any], is_outside: bool
) -> None:
    """Whatever counts are sent, no bucket is negative and no sum is over what was said."""
    usage = read_usage(json.dumps(report).encode(), is_reasoning_outside=is_outside)
    if usage is None:
        assert report.get("prompt_tokens") is None
        assert report.get("completion_tokens") is None
        return
    assert min(_buckets(usage)) >= 0
    reasoning = max((report.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0, 0)
    assert usage.total_input_tokens <= max(report.get("prompt_tokens") or 0, 0)
    assert usage.total_output_tokens <= max((report.get("completion_tokens") or 0) + reasoning, 0)


@given(st.decimals(0, MAX_COST_USD, places=12))
def test_read_usage_decimal_cost_loses_nothing(cost: Decimal) -> None:
    """Twelve decimals of a dollar survive, which a float would not carry."""
    usage = read_usage(f'{{"prompt_tokens":1,"cost":{cost:f}}}'.encode())
    assert usage is not None
    assert usage.reported_cost_usd_pico == cost * 10**12


@given(st.binary(max_size=50))
def test_read_usage_arbitrary_bytes_never_raises(raw: bytes) -> None:
    """Bytes of a provider raise nothing here."""
    assert read_usage(raw) is None
