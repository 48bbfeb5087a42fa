"""The ways in which a provider breaks, one row each, and how it gets well again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.failover.house import Mock

_FOR_EVER_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break; `end` undoes `begin`, and both block until they are done."""

    name: str
    begin: Callable[[Mock], None]
    end: Callable[[Mock], None]


def _behaving(name: str, *behaviours: Mapping[str, object]) -> Fault:
    return Fault(name, lambda mock: mock.behave(*behaviours), lambda mock: mock.behave())


FAULTS: Final = (
    Fault("killed", Mock.kill, Mock.start),
    _behaving("stalls after its headers", {"stall_after": 0}),
    _behaving("429 with Retry-After", {"status": 429, "retry_after": 1}),
    _behaving("error in a 200", {"error_in_200": True}),
    _behaving("cut before the first token", {"cut_body": 0}),
    _behaving("says nothing", {"delay": _FOR_EVER_S}),
    _behaving("no HTTP, at once", {"http_garbage": True}),
    Fault("frozen", Mock.freeze, Mock.thaw),
    _behaving("a web page, at once", {"body": "<h1>It works!</h1>"}),
    _behaving("500 now and then", {"share": 0.4, "status": 500}),
    _behaving("empty answers", {"empty": True}),
)
