"""Try every framework's program against one gateway; print what came of it as one table.

python -m scripts.frameworks.drive [FRAMEWORK…] [--target NAME] [--write]
"""

import argparse
import sys
import time
from collections.abc import Sequence

from scripts.frameworks.outcomes import Report, failures, missing, read_report, table
from scripts.frameworks.programs import NAMES, ROOMS, ROOT, run_program
from scripts.frameworks.scene import TARGETS, Scene, Target, open_scene

PAGE = ROOT / "docs" / "frameworks.md"
_START, _END = "<!-- written by scripts/try-frameworks --write -->", "<!-- end -->"
_SETTLED_LIMIT_S = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if everything that was tried did what it should."""
    parser = argparse.ArgumentParser(
        prog="scripts/try-frameworks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("frameworks", nargs="*", metavar="FRAMEWORK", help="all unless said")
    parser.add_argument("--target", action="append", choices=[each.name for each in TARGETS])
    parser.add_argument("--write", action="store_true", help=f"put it into {PAGE.name}, too")
    said = parser.parse_args(arguments)
    targets = [each for each in TARGETS if said.target is None or each.name in said.target]
    with open_scene(ROOMS / "scene") as scene:
        reports = [try_framework(name, scene, targets) for name in said.frameworks or NAMES]
        account, unpaid = uncounted(scene)
    lines = [*shown(reports, targets), "", account]
    print(*lines, sep="\n")
    problems = [*failures(reports), *unfinished(reports, targets), *unpaid]
    for problem in problems:
        print(f"FAILED  {problem}", file=sys.stderr)
    if said.write:
        write(lines)
    return 1 if problems else 0


def try_framework(name: str, scene: Scene, targets: Sequence[Target]) -> Report:
    """Run one framework's program against the gateway, and judge what it told."""
    started_at_s = time.monotonic()
    print(f"{name} …", file=sys.stderr, flush=True)
    lines = run_program(name, scene.url, scene.key, targets)
    report = read_report(name, lines, frozenset(each.name for each in targets if each.is_echo))
    num_s = time.monotonic() - started_at_s
    print(f"{name}: {len(report.outcomes)} steps in {num_s:.0f} s", file=sys.stderr, flush=True)
    return report


def unfinished(reports: Sequence[Report], targets: Sequence[Target]) -> list[str]:
    """Return what was not even tried, because a program ended before it."""
    names = [target.name for target in targets]
    silent = [
        f"{each.framework} told nothing: see .frameworks/{each.framework}/errors.txt"
        for each in reports
        if not each.outcomes
    ]
    return silent + [
        f"{report.framework}, {each}: not tried"
        for report in reports
        for each in missing(report, names)
    ]


def uncounted(scene: Scene) -> tuple[str, list[str]]:
    """Return a line on the ledger, and the answers whose usage it does not have."""
    whole = [row for row in settled(scene) if row["state"] == "complete"]
    wrong = [
        f"ledger: {row['provider']}/{row['model']} has no exact usage"
        for row in whole
        if row["is_estimate"] or not row["output_tokens"]
    ]
    streams = sum(bool(row["is_stream"]) for row in whole)
    line = f"ledger: {len(whole)} answers, {streams} of them streams, {len(wrong)} without usage"
    return line, wrong if whole else ["the ledger is empty"]


def settled(scene: Scene) -> list[dict[str, object]]:
    """Return the ledger's rows, when no more of them come."""
    end_s, before, rows = time.monotonic() + _SETTLED_LIMIT_S, -1, scene.accounts()
    while len(rows) != before and time.monotonic() < end_s:
        time.sleep(1.0)
        before, rows = len(rows), scene.accounts()
    return rows


def shown(reports: Sequence[Report], targets: Sequence[Target]) -> list[str]:
    """Return versions, targets and the table, as lines."""
    versions = [
        f"{report.framework}: {', '.join(' '.join(pair) for pair in report.versions.items())}"
        for report in reports
    ]
    names = ", ".join(f"{each.name} ({each.dialect})" for each in targets)
    return [*versions, f"targets: {names}", "", *table(reports)]


def write(lines: Sequence[str]) -> None:
    """Put what was printed into the page, in the place of what stood there."""
    start, rest = PAGE.read_text().split(_START)
    _, end = rest.split(_END)
    block = "".join(f"    {line}".rstrip() + "\n" for line in lines)
    PAGE.write_text(f"{start}{_START}\n\n{block}\n{_END}{end}")


if __name__ == "__main__":
    sys.exit(main())
