"""What engines say, as metric families: every figure, once, under the model's name."""

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from slipstream.engine.protocol import Stats
from slipstream.server.engine_metrics import PREFIX, engine_families


class Shown(Collector):
    """The families of some engines, as a registry wants them."""

    def __init__(self, figures: dict[str, Stats]) -> None:
        self._figures = figures

    def collect(self) -> list[Metric]:
        """Return the families."""
        return list(engine_families(self._figures))


def numbered(start: int) -> Stats:
    """Return figures in which no two are the same."""
    names = Stats.__struct_fields__
    return Stats(**{name: start + number for number, name in enumerate(names)})


def lines_of(figures: dict[str, Stats]) -> list[str]:
    """Return the lines that are no comments, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(Shown(figures))
    text = generate_latest(registry).decode()
    return [line for line in text.split("\n") if line and not line.startswith("#")]


def test_every_figure_of_every_model_is_shown_once() -> None:
    """No figure of Stats is forgotten or shown twice, and no model's is taken for another's."""
    figures = {"small": numbered(100), "large": numbered(200)}
    lines = lines_of(figures)

    for model, stats in figures.items():
        values = sorted(float(line.split()[1]) for line in lines if f'model="{model}"' in line)
        said = msgspec.structs.asdict(stats)
        del said["request_id"]
        assert values == sorted(map(float, said.values()))
    assert all(line.startswith(PREFIX) for line in lines)


def test_guesses_are_told_by_source_and_outcome() -> None:
    """Labels say where a guess came from and what became of it."""
    stats = msgspec.structs.replace(numbered(0), lookup_rejected_tokens=7)
    wanted = f'{PREFIX}draft_tokens_total{{model="m",outcome="rejected",source="lookup"}} 7.0'
    assert wanted in lines_of({"m": stats})


def test_no_engine_shows_nothing() -> None:
    """A gateway of relays has no empty families."""
    assert lines_of({}) == []
