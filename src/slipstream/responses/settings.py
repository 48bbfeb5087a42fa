"""What the configuration may say of answers that are kept."""

from dataclasses import dataclass

from slipstream.settings import setting


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """`[responses]`: how long answers are kept, and how many are made in the background."""

    keep_days: float = setting(
        "How long an answer of `/v1/responses` is kept after it was made or last gone on with, "
        "unless its request says `store: false`.",
        default=30.0,
        unit="days",
        least=0.01,
        most=3650.0,
    )
    max_background: int = setting(
        "Answers in the background in progress at once; others wait.",
        default=8,
        least=1,
        most=4096,
    )
