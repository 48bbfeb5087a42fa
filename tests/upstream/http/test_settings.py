"""The declared settings of the HTTP client."""

from dataclasses import fields

from slipstream.settings import about
from slipstream.upstream.http.settings import HttpSettings


def test_settings_are_all_declared_with_help() -> None:
    """Every field can be set, documented and checked by the configuration."""
    for field in fields(HttpSettings):
        declared = about(field.metadata)
        assert declared is not None, field.name
        assert declared.help.endswith(".")


def test_settings_defaults_are_within_their_ranges() -> None:
    """A default that its own range refuses would fail at every start."""
    defaults = HttpSettings()
    for field in fields(HttpSettings):
        declared = about(field.metadata)
        assert declared is not None
        value = getattr(defaults, field.name)
        if declared.least is not None and declared.most is not None:
            assert declared.least <= value <= declared.most, field.name
        assert (declared.least is None) == isinstance(value, str)
