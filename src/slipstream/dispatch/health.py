"""What dispatch asks of whoever knows how targets have fared; routing's Board is one."""

from typing import Final, Protocol

from slipstream.choice import Target


class Health(Protocol):
    """Counts attempts in flight, and says which targets are left alone; never blocks.

    Each `begin` that returns True has exactly one `end`, whatever became of the attempt. `now_s` is
    the event loop's clock.
    """

    def begin(self, target: Target, now_s: float) -> bool:
        """Count an attempt in flight; False, and nothing counted, where it is left alone."""

    def end(self, target: Target) -> None:
        """Count an attempt out."""

    def is_open(self, target: Target, now_s: float) -> bool:
        """Tell whether a target is left alone now."""

    def wait_s(self, target: Target, now_s: float) -> float:
        """Return how long until it takes requests again; 0.0: it does."""

    def is_roomier(self, target: Target, than: Target) -> bool:
        """Tell whether a target's context is known to be larger than another's."""


class _Unmeasured:
    """Nobody counts: every target is well, and no context is known."""

    def begin(self, target: Target, now_s: float) -> bool:
        return True

    def end(self, target: Target) -> None:
        pass

    def is_open(self, target: Target, now_s: float) -> bool:
        return False

    def wait_s(self, target: Target, now_s: float) -> float:
        return 0.0

    def is_roomier(self, target: Target, than: Target) -> bool:
        return False


UNMEASURED: Final[Health] = _Unmeasured()
"""For whoever has nobody to ask, such as a program with one target."""
