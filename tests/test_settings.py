"""How settings are declared."""

from dataclasses import FrozenInstanceError, dataclass, field, fields

import pytest

from slipstream.settings import About, about, setting


@dataclass(frozen=True, slots=True)
class Sample:
    """One field of each kind."""

    needed: str = setting("It is needed.")
    wait_s: float = setting("A wait.", default=1.5, unit="s", least=0.5, most=9.0)
    kind: str = setting("A kind.", default="a", choices=("a", "b"))
    names: list[str] = setting("Names.", factory=list)  # noqa: RUF009 -- makes a field
    key: str = setting("A key.", default="", is_secret=True)
    plain: int = field(default=3)


def test_setting_keeps_what_was_declared() -> None:
    """Help, unit, range and choices are found where the documentation looks for them."""
    said = {entry.name: about(entry.metadata) for entry in fields(Sample)}
    assert said["wait_s"] == About("A wait.", unit="s", least=0.5, most=9.0)
    assert said["kind"] == About("A kind.", choices=("a", "b"))
    assert said["key"] == About("A key.", is_secret=True)
    assert said["plain"] is None


def test_setting_default_and_factory_are_the_fields_own() -> None:
    """Records are built like any dataclass; a factory makes a new value for each."""
    sample = Sample(needed="x")
    assert (sample.wait_s, sample.kind, sample.plain) == (1.5, "a", 3)
    assert sample.names is not Sample(needed="x").names


def test_setting_without_default_is_needed() -> None:
    """Leaving it out is an error at construction."""
    with pytest.raises(TypeError, match="needed"):
        Sample()


def test_setting_record_is_frozen() -> None:
    """Nothing mutates a configuration."""
    with pytest.raises(FrozenInstanceError):
        Sample(needed="x").kind = "b"  # type: ignore[misc]
