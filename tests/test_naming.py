"""Tests of slipstream.naming: each name means one thing, and what is wrong is told where."""

from pathlib import Path

import pytest

from slipstream.choice import Target
from slipstream.naming import plain_names, targets_of
from tests.config_place import Place

KEYS = {"CEREBRAS_API_KEY": "csk", "GROQ_API_KEY": "gsk", "K1": "one", "K2": "two"}
BASE = "[models.m]\naliases = ['n']\n[providers.cerebras]\n[providers.groq]\n"  # four lines


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a home folder that is empty."""
    return Place(tmp_path)


WRONG: list[tuple[str, str]] = [
    (
        "[routes.r]\nstrategy = 'race'\ntargets = ['m']",
        "F:7: routes.r.targets: the strategy 'race' needs two targets",
    ),
    (
        "[routes.r]\nstrategy = 'race'\ntargets = ['m', 'groq/x']\nmax_attempts = 1",
        "F:8: routes.r.max_attempts: the strategy 'race' needs at least 2",
    ),
    (
        "[routes.r]\nstrategy = 'pinned'\ntargets = ['gpt-oss-120b']",
        "F:7: routes.r.targets: the strategy 'pinned' needs exactly one target",
    ),
    (
        "[routes.r]\nstrategy = 'pinned'\ntargets = ['m']\nhedge_s = 0.1",
        "F:8: routes.r.hedge_s: the strategy 'pinned' has nobody to race with",
    ),
    (
        "[routes.r]\ntargets = ['m', 'groq/x']\nweights = [1, 2]",
        "F:7: routes.r.weights: only 'weighted' has weights, not 'ordered'",
    ),
    (
        "[routes.r]\nstrategy = 'weighted'\ntargets = ['m', 'groq/x']\nweights = [1]",
        "F:8: routes.r.weights: expected 2, one for each target, got 1",
    ),
    (
        "[routes.r]\nstrategy = 'weighted'\ntargets = ['m', 'groq/x']\nweights = [0, 0]",
        "F:8: routes.r.weights: expected none below 0, and at least one above it",
    ),
    (
        "[routes.r]\nstrategy = 'weighted'\ntargets = ['m', 'groq/x']\nweights = [2, -1]",
        "F:8: routes.r.weights: expected none below 0, and at least one above it",
    ),
    (
        "[routes.r]\nstrategy = 'weighted'\ntargets = ['m']\nweights = ['1']",
        "F:8: routes.r.weights: expected an array of numbers, got ['1']",
    ),
    (
        "[routes.r]\ntargets = ['gpt-oss-12b']",
        "F:6: routes.r.targets: no such target 'gpt-oss-12b'; did you mean 'gpt-oss-120b'",
    ),
    (
        "[routes.r]\ntargets = ['grok-4.7']",
        "F:6: routes.r.targets: no such target 'grok-4.7'",
    ),
    (
        "[targets.'gorq/x']\nquality = 1",
        "F:5: targets.gorq/x: no such target; did you mean 'groq/MODEL'",
    ),
    ("[targets.m]\nquality = 1", "F:5: targets.m: no such target (known: "),
    ("[targets.'local/n']\nquality = 1", "F:5: targets.local/n: no such target; did you mean 'lo"),
    ("[targets.'local/x']\nquality = 1", "F:5: targets.local/x: no such target"),
    ("[targets.'groq/']\nquality = 1", "F:5: targets.groq/: no such target"),
    (
        "[targets.'groq/x']\nabilities = ['chat', 'tool']",
        "F:6: targets.groq/x.abilities: no such ability 'tool'; did you mean 'tools'?",
    ),
    (
        "[targets.'groq/x']\nquality = 6",
        "F:6: targets.groq/x.quality: expected a whole number from",
    ),
    (
        "[routes.r]\ntargets = ['m']\n[targets.'groq/x.1']\nname = 'r'",
        "F:8: targets.groq/x.1.name: 'r' is also the name of a route, which hides it",
    ),
    (
        "[targets.'groq/x']\nname = 'n'",
        "F:6: targets.groq/x.name: 'n' is also the name of a model that runs here",
    ),
    ("[targets.'groq/x']\nname = 'a/b'", "F:6: targets.groq/x.name: expected a name without '/'"),
    ("[targets.'groq/x']\nname = ''", "F:6: targets.groq/x.name: expected a name without '/'"),
    ("[targets.'groq/x']\nname = 'auto'", "F:6: targets.groq/x.name: expected a name without '/'"),
]


@pytest.mark.parametrize(("text", "start"), WRONG, ids=range(len(WRONG)))
def test_wrong_name_is_told_where_and_what_would_do(text: str, start: str, place: Place) -> None:
    """File, line and key, and what is accepted there."""
    assert place.problem(BASE + text, KEYS).startswith(start)


RIGHT = [
    "[routes.r]\nstrategy = 'race'\ntargets = ['gpt-oss-120b']",
    "[routes.r]\nstrategy = 'weighted'\ntargets = ['m', 'groq/x']\nweights = [0, 0.5]",
    "[routes.r]\ntargets = ['m', 'groq/x']\nhedge_s = 0.2",  # for requests that ask for a race
    "[routes.gpt-oss-120b]\ntargets = ['gpt-oss-120b']",
    "[targets.'local/m']\nquality = 1",
    "[targets.'groq/x']\nname = 'gpt-oss-120b'\nabilities = []",
]


@pytest.mark.parametrize("text", RIGHT, ids=range(len(RIGHT)))
def test_right_names_are_taken(text: str, place: Place) -> None:
    """A route may have the plain name of a model, and stands over it."""
    place.load(BASE + text, KEYS)


def test_targets_have_their_providers_first_credential(place: Place) -> None:
    """Pinned, by a plain name, and of our own."""
    text = "[models.m]\n[providers.groq]\napi_keys = ['env:K1', 'env:K2']\n"
    named = place.load(text, KEYS).named
    served, plain = named.served, plain_names(named)
    assert targets_of("groq/x", named, served, plain) == (Target("groq", "x", "1"),)
    assert targets_of("gpt-oss-20b", named, served, plain) == (
        Target("groq", "openai/gpt-oss-20b", "1"),
    )
    assert targets_of("m", named, served, plain) == (Target("local", "m"),)
    assert targets_of("nothing", named, served, plain) == ()
