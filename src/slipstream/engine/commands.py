"""What other threads tell the engine; it obeys between two steps."""

from collections.abc import Hashable
from dataclasses import dataclass

from slipstream.engine.request import Request


@dataclass(frozen=True, slots=True)
class Submit:
    """Answer a request; its key is new."""

    request: Request


@dataclass(frozen=True, slots=True)
class Cancel:
    """Drop a request; unknown keys and those of finished requests are ignored."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Drop every request of a reply that has gone."""

    reply: object


@dataclass(frozen=True, slots=True)
class Probe:
    """Tell a reply the Stats."""

    reply: object
    request_id: int


@dataclass(frozen=True, slots=True)
class Close:
    """Work no more."""


Command = Submit | Cancel | CancelAll | Probe | Close
