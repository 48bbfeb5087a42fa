"""A clock that a test moves."""


class Clock:
    """Seconds, which pass when a test says so."""

    def __init__(self) -> None:
        self.now_us = 1_000_000_000_000  # eleven days, as a machine's clock may be

    def __call__(self) -> float:
        return self.now_us / 1e6

    def wait(self, duration_s: float) -> None:
        """Let time pass."""
        self.now_us += round(duration_s * 1e6)
