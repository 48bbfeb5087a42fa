"""What the configuration may say of files and batches."""

from dataclasses import dataclass

from slipstream.settings import setting


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """`[batches]`: how much of the machine they may use."""

    max_concurrent: int = setting(
        "Requests of batches in progress at once, those of all batches together.",
        default=8,
        least=1,
        most=4096,
    )
    max_active: int = setting(
        "Batches of one key that may be in progress at once; one more is answered 429.",
        default=10,
        least=1,
        most=1000,
    )
    max_key_bytes: int = setting(
        "Room that the files of one key may take together.",
        default=10 * 1024 * 1024 * 1024,
        unit="bytes",
        least=1024 * 1024,
    )
