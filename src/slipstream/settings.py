"""How a folder declares its settings: one dataclass field each, with help, unit and range.

`config.py` reads these declarations to parse, validate and document; nothing here reads a file.
"""

from dataclasses import MISSING, dataclass, field
from typing import Any

_KEY = "slipstream"


@dataclass(frozen=True, slots=True)
class About:
    """What a person needs to know of one setting, beside its name, type and default.

    Args:
        help: One line, shown in docs/config.md.
        unit: Of the value, e.g. "s", "bytes"; empty where it has none.
        least: Smallest value accepted, inclusive.
        most: Largest value accepted, inclusive.
        choices: The only values accepted.
        is_secret: The value is shown nowhere, not even when it is wrong.
    """

    help: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    is_secret: bool = False


def setting(
    help: str,  # noqa: A002 -- the word every settings table uses
    *,
    default: Any = MISSING,
    factory: Any = MISSING,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
    is_secret: bool = False,
) -> Any:
    """Declare a dataclass field that the configuration file can set."""
    metadata = {_KEY: About(help, unit, least, most, choices, is_secret)}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata, repr=not is_secret)
    if default is MISSING:
        return field(metadata=metadata, repr=not is_secret)
    return field(default=default, metadata=metadata, repr=not is_secret)


def about(metadata: Any) -> About | None:
    """Return what a field's metadata says of the setting, or None for an ordinary field."""
    found = metadata.get(_KEY)
    return found if isinstance(found, About) else None
