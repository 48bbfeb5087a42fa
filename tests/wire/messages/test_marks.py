"""Tests of slipstream.wire.messages.marks."""

from typing import Any

import pytest

from slipstream.wire.messages.marks import CacheControl, limit_marks, mark_fields, read_mark
from slipstream.wire.talk.marks import CacheMark


@pytest.mark.parametrize("ttl", [None, "5m", "1h"])
def test_mark_of_anthropic_is_kept(ttl: str | None) -> None:
    """What is read is written again."""
    fields = mark_fields(read_mark(CacheControl(ttl=ttl)))
    assert fields["cache_control"] == {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}


@pytest.mark.parametrize(("ttl", "expected"), [("30m", "1h"), ("12h", "1h"), ("9d", None)])
def test_mark_of_others_gets_the_nearest_time(ttl: str, expected: str | None) -> None:
    """OpenAI's times are not refused; an unknown one is left to Anthropic."""
    assert mark_fields(CacheMark(ttl))["cache_control"].get("ttl") == expected


def test_mark_that_is_absent_says_nothing() -> None:
    """No mark, no field."""
    assert mark_fields(read_mark(None)) == {}


def test_limit_marks_keeps_the_last_four() -> None:
    """Anthropic refuses more; the last prefixes hold the others."""

    def marked(name: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, **mark_fields(CacheMark()), **fields}

    body = {
        "tools": [marked("a"), {"name": "b"}],
        "system": [marked("c")],
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "user", "content": [marked("d", content=[marked("e")]), marked("f")]},
            {"role": "user", "content": [marked("g")]},
        ],
    }
    assert limit_marks(body)
    assert [tool.get("cache_control") for tool in body["tools"]] == [None, None]  # type: ignore[attr-defined]
    said = str(body)
    assert said.count("cache_control") == 4
    assert not limit_marks(body)
    assert not limit_marks({"messages": [], "system": "x"})
