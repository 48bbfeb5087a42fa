"""What the configuration may say of rate limits."""

from dataclasses import dataclass

from slipstream.settings import setting

PER = ("model", "key")
_MOST = 10**12


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`[limits.NAME]`: how much the key of that name may use; `default`: every other key.

    A limit that is left out is none; a table without any frees its key of those of `default`.
    """

    requests_per_minute: int | None = setting(
        "Requests that were let in; those that a limit refused do not count.",
        default=None,
        least=1,
        most=_MOST,
    )
    requests_per_hour: int | None = setting(
        "Likewise, for an hour.", default=None, least=1, most=_MOST
    )
    requests_per_day: int | None = setting(
        "Likewise, for a day.", default=None, least=1, most=_MOST
    )
    uncached_tokens_per_minute: int | None = setting(
        "Tokens read and written, without those of a prompt that were cached. A request that says "
        "no `max_completion_tokens` takes 16,384 for its answer until it has ended.",
        default=None,
        unit="tokens",
        least=1,
        most=_MOST,
    )
    uncached_tokens_per_hour: int | None = setting(
        "Likewise, for an hour.", default=None, unit="tokens", least=1, most=_MOST
    )
    uncached_tokens_per_day: int | None = setting(
        "Likewise, for a day.", default=None, unit="tokens", least=1, most=_MOST
    )
    tokens_per_minute: int | None = setting(
        "All tokens read and written, cached ones too.",
        default=None,
        unit="tokens",
        least=1,
        most=_MOST,
    )
    tokens_per_hour: int | None = setting(
        "Likewise, for an hour.", default=None, unit="tokens", least=1, most=_MOST
    )
    tokens_per_day: int | None = setting(
        "Likewise, for a day.", default=None, unit="tokens", least=1, most=_MOST
    )
    per: str = setting(
        "`model`: the limits hold for each public model name by itself; `key`: for all together.",
        default="model",
        choices=PER,
    )
