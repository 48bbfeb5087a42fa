"""From what the configuration says of a provider to where it is reached and how it differs."""

from collections.abc import Mapping

from slipstream.call import Dialect
from slipstream.catalog.providers import BY_NAME, PROVIDERS
from slipstream.errors import ConfigError
from slipstream.toml_settings import Problems, nearest
from slipstream.upstream.http.messages import parse_base_url
from slipstream.upstream.keys import read_keys
from slipstream.upstream.relay import Endpoint
from slipstream.upstream.settings import ProviderSettings


def providers_of(environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    """Return every known provider whose usual variable is set."""
    return {
        row.name: ProviderSettings()
        for row in PROVIDERS
        if any(environ.get(variable) for variable in row.key_variables)
    }


def endpoint_of(
    name: str, provider: ProviderSettings, environ: Mapping[str, str], problems: Problems
) -> Endpoint | None:
    """Return where a provider is reached and how it differs; None, and a problem, if it cannot be.

    Args:
        name: Of a row, or of a provider that the table describes itself or says what it is like.
    """
    row = BY_NAME.get(provider.like or name)
    base_url = row.base_url if row and provider.base_url is None else provider.base_url
    key = f"providers.{name}"
    if base_url is None or (row is None and provider.dialect is None):
        problems.add(
            key,
            f"not a built-in name{nearest(name, BY_NAME)}; others need 'like', or 'dialect' and "
            "'base_url'",
        )
        return None
    try:
        parse_base_url(base_url)
    except ConfigError as exc:
        problems.add(f"{key}.base_url", exc.message)
        return None
    usual = row.key_variables if row else ()
    try:
        secrets = read_keys(provider.api_key, provider.api_keys, usual, environ)
    except ConfigError as exc:
        problems.add(f"{key}.{'api_keys' if provider.api_keys else 'api_key'}", exc.message)
        return None
    dialect = None if provider.dialect is None else Dialect(provider.dialect)
    if row is None:
        return Endpoint(
            name=name,
            base_url=base_url,
            key=secrets[0] if secrets else None,
            more_keys=secrets[1:],
            dialect=dialect,
            relaxes_schemas=provider.relaxes_schemas,
        )
    return Endpoint(
        name=name,
        base_url=base_url,
        key=secrets[0] if secrets else None,
        more_keys=secrets[1:],
        dialect=dialect,
        like=row.name,
        relaxes_schemas=provider.relaxes_schemas,
        asks_usage=row.asks_usage,
        is_reasoning_outside=row.is_reasoning_outside,
    )
