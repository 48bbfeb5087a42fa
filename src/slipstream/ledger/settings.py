"""What the configuration may say of the ledger."""

from dataclasses import dataclass

from slipstream.settings import setting


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """`[ledger]`: where attempts and keys are kept."""

    database: str = setting(
        "URL of the database; empty for the file `slipstream.db` in the home folder.",
        default="",
        is_secret=True,  # it may hold a password
    )
