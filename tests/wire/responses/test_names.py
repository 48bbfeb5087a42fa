"""Flat names of tools in namespaces, and ids that every vendor takes."""

import pytest

from slipstream.wire.responses.names import MAX_NAME_CHARS, flat_name, short_id


@pytest.mark.parametrize(
    ("namespace", "name", "flat"),
    [(None, "f", "f"), ("", "f", "f"), ("a", "f", "a__f"), ("a__b", "f", "a__b__f")],
)
def test_flat_name_joins_both(namespace: str | None, name: str, flat: str) -> None:
    """A name without a namespace stays what it is."""
    assert flat_name(namespace, name) == flat


def test_flat_name_too_long_is_cut_and_stays_distinct() -> None:
    """Names of 64 characters are the most that OpenAI and Anthropic take."""
    names = {flat_name("n" * 40, "x" * 40 + last) for last in "abc"}
    assert len(names) == 3
    assert {len(name) for name in names} == {MAX_NAME_CHARS}
    assert flat_name("n" * 40, "x" * 22) == f"{'n' * 40}__{'x' * 22}"


def test_short_id_is_the_same_for_the_same_id() -> None:
    """A call and its result must still find each other."""
    assert short_id("c" * 64) == "c" * 64
    assert short_id("c" * 65) == short_id("c" * 65)
    assert short_id("c" * 65) != short_id("d" * 65)
    assert len(short_id("c" * 999)) <= MAX_NAME_CHARS
