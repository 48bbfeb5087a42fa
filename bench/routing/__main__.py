"""Send a simulated day through every strategy in every world; one table each, one line of JSON.

scripts/bench-routing                      whole days of 200,000 requests; two hours of CPU
scripts/bench-routing --quick              the days pressed into an hour; five minutes of CPU
scripts/bench-routing --worlds tails --strategies race,random
scripts/bench-routing --quick --page docs/routing-strategies.md
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from bench.conditions import machine
from bench.routing.choosers import CHOOSERS, always
from bench.routing.claims import HINDSIGHT, HINDSIGHT_COST, Verdict, verdicts
from bench.routing.measures import Measured
from bench.routing.report import as_json, claims_table, in_page, table
from bench.routing.run import Setting, run
from bench.routing.traffic import DAY_S
from bench.routing.worlds import WORLDS

_QUICK_DAY_S: Final = 3_600.0
_HINDSIGHTS: Final = {HINDSIGHT: "mean_s", HINDSIGHT_COST: "cost_usd"}
_STRATEGIES: Final = (*CHOOSERS, *_HINDSIGHTS)


def main() -> int:
    """Do what the options say."""
    options = _options()
    setting = Setting(options.seed, _QUICK_DAY_S if options.quick else options.hours * 3600)
    began = time.monotonic()
    rows: dict[str, dict[str, Measured]] = {}
    found: list[Verdict] = []
    tables: list[str] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for name in options.worlds:
            rows[name] = _row(pool, name, options.strategies, setting)
            found += verdicts(name, rows[name])
            tables.append(table(WORLDS[name], rows[name]))
            print(tables[-1], end="\n\n", flush=True)
    print(claims_table(found))
    if options.page is not None:
        text = "\n\n".join([claims_table(found), *tables])
        options.page.write_text(in_page(options.page.read_text(), text))
    conditions = {
        **machine(),
        "seed": setting.seed,
        "day_s": setting.day_s,
        "took_s": round(time.monotonic() - began, 1),
    }
    line = as_json(rows, found, conditions)
    if options.json is not None:
        options.json.write_text(line + "\n")
    print(line)
    return 0


def _row(
    pool: ProcessPoolExecutor, world: str, strategies: Iterable[str], setting: Setting
) -> dict[str, Measured]:
    """Return what every strategy made of a world's day."""
    names = [name for name in strategies if name not in _HINDSIGHTS]
    fixed = range(len(WORLDS[world].specs)) if set(_HINDSIGHTS) & set(strategies) else range(0)
    runs = {name: pool.submit(_measure, world, name, setting) for name in names}
    days = [pool.submit(_measure, world, number, setting) for number in fixed]
    row = {name: future.result() for name, future in runs.items()}
    singles = [future.result() for future in days]
    for name, field in _HINDSIGHTS.items():
        if name in strategies:
            row[name] = min(singles, key=lambda single: float(getattr(single, field)))
    return row


def _measure(world: str, strategy: str | int, setting: Setting) -> Measured:
    """Run one strategy, or always the target of that number; in a process of the pool."""
    chooser = CHOOSERS[strategy] if isinstance(strategy, str) else always(strategy)
    return run(WORLDS[world], chooser, setting)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="press the days into an hour")
    parser.add_argument("--hours", type=float, default=DAY_S / 3600, help="of the day; default: 24")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="default: all cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON line there too")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the tables into that page")
    for name, known in (("worlds", list(WORLDS)), ("strategies", list(_STRATEGIES))):
        parser.add_argument(
            f"--{name}",
            type=lambda text: text.split(","),
            default=known,
            metavar="A,B",
            help=f"of: {', '.join(known)}",
        )
    options = parser.parse_args()
    for wanted, names in ((options.worlds, [*WORLDS]), (options.strategies, [*_STRATEGIES])):
        unknown = [name for name in wanted if name not in names]
        if unknown:
            parser.error(f"no {unknown[0]!r}; there are: {', '.join(names)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
