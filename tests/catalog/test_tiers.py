"""The tiers of quality: five of them, for every kind of work, and none for what is not known."""

from typing import get_args

from slipstream.catalog.tiers import TIERS, tiers_of
from slipstream.choice import Task


def test_tiers_are_for_every_kind_of_work() -> None:
    """From toy to best; the highest that a table can give is left for what is to come."""
    for tiers in TIERS.values():
        assert set(tiers) == set(get_args(Task))
        assert set(tiers.values()) <= {0, 1, 2, 3, 4}


def test_embedded_model_is_a_toy() -> None:
    """It shows that everything works, and answers nothing that matters."""
    assert set(tiers_of("smollm2-135m").values()) == {0}


def test_model_without_a_row_has_no_tier() -> None:
    """Rather than a bad one."""
    assert tiers_of("unheard-of") == {}
