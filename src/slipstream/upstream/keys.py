"""A provider's key from where the configuration says that it is; no message here shows one."""

from collections.abc import Mapping
from pathlib import Path

from slipstream.call import Secret
from slipstream.errors import ConfigError


def read_key(
    reference: str | None, usual_variables: tuple[str, ...], environ: Mapping[str, str]
) -> Secret | None:
    """Return the key that a reference leads to, or None if the provider needs none.

    Args:
        reference: `env:NAME`, `file:PATH` or the key itself; None for the usual variables.
        usual_variables: Of this provider, the first that is set counts; none: it needs no key.
        environ: The process's environment.

    Raises:
        ConfigError: There is no key where it should be, or none that a header can carry.
    """
    text = _read(reference, usual_variables, environ)
    if text is None:
        return None
    # Anything else would break the header that carries it, or the request around it.
    if not (text and text.isascii() and text.isprintable()):
        raise ConfigError("expected printable ASCII characters, and at least one")
    return Secret(text)


def read_keys(
    reference: str | None,
    more: tuple[str, ...],
    usual_variables: tuple[str, ...],
    environ: Mapping[str, str],
) -> tuple[Secret, ...]:
    """Return all keys of a provider, the preferred one first; none if it needs none.

    Args:
        reference: As for `read_key`; left out where there are more, the usual variables do not
            count.
        more: References of further keys.

    Raises:
        ConfigError: As `read_key`, or the same key stands there twice.
    """
    first = None
    if reference is not None or not more:
        first = read_key(reference, usual_variables, environ)
    found = [] if first is None else [first]
    for number, one in enumerate(more, 1):
        try:
            found += [key for key in (read_key(one, (), environ),) if key is not None]
        except ConfigError as exc:
            raise ConfigError(f"key {number} of the list: {exc.message}") from exc
    if len({key.reveal() for key in found}) < len(found):
        raise ConfigError("the same key stands there twice")
    return tuple(found)


def _read(
    reference: str | None, usual_variables: tuple[str, ...], environ: Mapping[str, str]
) -> str | None:
    if reference is None:
        found = next((environ[name] for name in usual_variables if environ.get(name)), None)
        if found is None and usual_variables:
            names = " or ".join(usual_variables)
            raise ConfigError(f"no key: set {names}, or write api_key")
        return None if found is None else found.strip()
    kind, _, rest = reference.partition(":")
    if kind == "env":
        if not environ.get(rest):
            raise ConfigError(f"the environment variable '{rest}' is not set")
        return environ[rest].strip()
    if kind == "file":
        try:
            return Path(rest).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError, RuntimeError) as exc:  # the last: a `~` of nobody
            reason = exc.__class__.__name__
            raise ConfigError(f"the file '{rest}' cannot be read: {reason}") from exc
    return reference.strip()
