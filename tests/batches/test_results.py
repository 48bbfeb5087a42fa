"""Answers on disk: counted only when they are there, found again, torn ones cut."""

import asyncio
from pathlib import Path

import pytest

from slipstream.batches.lines import unanswered_line
from slipstream.batches.results import Result, Results
from tests.batches.world import largest_file


def result(custom_id: str, *, is_error: bool = False) -> Result:
    """Return an answer to a line."""
    return Result(custom_id, unanswered_line(custom_id, "code", "words"), is_error)


async def opened(folder: Path) -> Results:
    """Return the results in a folder, open."""
    results = Results(folder / "output", folder / "errors")
    await results.open()
    return results


async def test_results_are_found_again(tmp_path: Path) -> None:
    """Each in its file, each counted once, also after a restart without closing."""
    results = await opened(tmp_path)
    assert (results.has_output, results.has_errors) == (False, False)
    await results.keep(result("a"))
    await results.keep(result("b", is_error=True), result("c"))
    again = await opened(tmp_path)
    await results.sync()
    for each in (results, again):
        assert each.done == {"a", "b", "c"}
        assert (each.num_completed, each.num_failed) == (2, 1)
        assert (each.has_output, each.has_errors) == (True, True)
        each.close()
        each.close()
    assert len((tmp_path / "output").read_bytes().splitlines()) == 2


async def test_results_that_a_crash_tore_are_cut_at_every_byte(tmp_path: Path) -> None:
    """Wherever the file ends, whole lines stay and the next one is appended after them."""
    lines = [result(custom_id).line for custom_id in "ab"]
    whole = b"".join(lines)
    for end in range(len(whole) + 1):
        (tmp_path / "output").write_bytes(whole[:end])
        results = await opened(tmp_path)
        num_whole = (end >= len(lines[0])) + (end >= len(whole))
        assert results.done == set("ab"[:num_whole])
        await results.keep(result("z"))
        results.close()
        found = (tmp_path / "output").read_bytes()
        assert found.startswith(b"".join(lines[:num_whole]))
        assert found.count(b"\n") == num_whole + 1


async def test_results_after_damage_are_cut_too(tmp_path: Path) -> None:
    """A loss of power may leave zeros in the middle: what follows them is asked again."""
    good = result("a").line
    (tmp_path / "output").write_bytes(good + b"\0" * 60 + b"\n" + result("b").line)
    results = await opened(tmp_path)
    assert results.done == {"a"}
    results.close()
    assert (tmp_path / "output").read_bytes() == good


async def test_result_is_kept_once(tmp_path: Path) -> None:
    """Keeping several again, after one of them failed, repeats none."""
    results = await opened(tmp_path)
    await results.keep(result("a"))
    await results.keep(result("a", is_error=True), result("b"))
    assert (results.num_completed, results.num_failed) == (2, 0)
    results.close()


async def test_result_that_the_disk_refuses_is_not_counted(tmp_path: Path) -> None:
    """The caller hears of it and can try again; those before it are there, and whole."""
    results = await opened(tmp_path)
    lines = [result(custom_id) for custom_id in "abc"]
    with largest_file(int(2.5 * len(lines[0].line))):
        with pytest.raises(OSError, match="File too large"):
            await results.keep(*lines)
        assert results.done == {"a", "b"}
        assert (results.num_completed, results.num_failed) == (2, 0)
        assert (tmp_path / "output").read_bytes() == lines[0].line + lines[1].line
    await results.keep(*lines)
    assert results.done == {"a", "b", "c"}
    results.close()


async def test_results_of_many_at_once_are_kept_once_each(tmp_path: Path) -> None:
    """Callers write for each other; also when the disk refuses some, nobody's is lost."""
    results = await opened(tmp_path)
    lines = [result(f"{number:04}") for number in range(200)]
    with largest_file(100 * len(lines[0].line) + 7):
        first = await asyncio.gather(*map(results.keep, lines), return_exceptions=True)
    kept = [r.custom_id for r, e in zip(lines, first, strict=True) if e is None]
    assert len(results.done) == 100
    assert set(kept) <= results.done
    assert all(isinstance(e, OSError | None) for e in first)
    await asyncio.gather(*map(results.keep, lines))
    results.close()
    again = await opened(tmp_path)
    assert again.num_completed == len(again.done) == 200
    again.close()
