"""Wrong configurations: each is told where it is wrong and what would be accepted."""

from pathlib import Path

import pytest

from tests.config_place import KEY, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a home folder that is empty."""
    return Place(tmp_path)


WRONG: list[tuple[str, str]] = [
    ("[servre]\nport = 1", "F:1: servre: unknown table; did you mean 'server'?"),
    ("port = 1", "F:1: port: unknown table"),
    ("server = 5", "F:1: server: expected a table, got a whole number"),
    ("[server]\nprot = 1", "F:2: server.prot: unknown key; did you mean 'port'?"),
    ("[server]\n\nport = '80'", "F:3: server.port: expected a whole number from 0 to 65535"),
    ("[server]\nport = 65536", "F:2: server.port: expected a whole number from 0 to 65535"),
    ("[deadlines]\ntotal_s = nan", "F:2: deadlines.total_s: expected a number from 0.05"),
    ("[engine]\nprecision = 'int4'", "F:2: engine.precision: expected one of 'auto', 'f32'"),
    ("[ledger]\ndatabse = 'x'", "F:2: ledger.databse: unknown key; did you mean 'database'?"),
    ("providers = 5", "F:1: providers: expected tables [providers.NAME], got a whole number"),
    ("models = []", "F:1: models: expected tables [models.NAME], got an array"),
    ("[models]\nm = 5", "F:2: models.m: expected a table, got a whole number"),
    ("[models.m]\nalias = ['a']", "F:2: models.m.alias: unknown key; did you mean 'aliases'?"),
    (
        "[models.m]\n\nthreads = 'two'",
        "F:3: models.m.threads: expected a whole number from 1 to 1024, got 'two'",
    ),
    ("[models.m]\nstart = 'never'", "F:2: models.m.start: expected one of 'startup', 'first_use'"),
    ("[models.m]\nunload_after_s = 0", "F:2: models.m.unload_after_s: expected a number of at lea"),
    ("[models.m]\nthread = 2", "F:2: models.m.thread: unknown key; did you mean 'threads'?"),
    ("[models.m]\naliases = 'a'", "F:2: models.m.aliases: expected an array of strings"),
    (
        "[models.m]\nprofile = 'anthropic'",
        "F:2: models.m.profile: expected one of 'openai', 'cerebras', got 'anthropic'",
    ),
    (
        "[models.m]\n[routes.r]\ntargets = ['m']\nlike = 'gpt-oss-20b'",
        "F:4: routes.r.like: 'gpt-oss-20b' is no model of Cerebras's; did you mean 'gpt-oss-120b'?",
    ),
    (
        "[limits.default]\nrequests_per_minute = 0",
        "F:2: limits.default.requests_per_minute: expected a whole number from 1 to ",
    ),
    ("[models.m]\naliases = ['m']", "F:1: models.m: 'm' is also a name of 'm'"),
    (
        "[models.m]\naliases = ['x']\n[models.n]\naliases = ['x']",
        "F:3: models.n: 'x' is also a name of 'm'",
    ),
    ("[models.m]\n[models.n]\naliases = ['m']", "F:2: models.n: 'm' is also a name of 'm'"),
    ("[routes.r]\n", "F:1: routes.r: 'targets' is missing"),
    ("[routes.r]\ntargets = []", "F:2: routes.r.targets: the strategy 'ordered' needs a target"),
    (
        "[models.m]\n[models.n]\n[routes.r]\nstrategy = 'pinned'\ntargets = ['m', 'n']",
        "F:5: routes.r.targets: the strategy 'pinned' needs exactly one target",
    ),
    (
        "[models.m]\n[routes.r]\nstrategy = 'random'\ntargets = ['m']",
        "F:3: routes.r.strategy: expected one of 'pinned', 'ordered', 'weighted', 'cheapest', '",
    ),
    (
        "[models.m]\naliases = ['r']\n[routes.r]\ntargets = ['m']",
        "F:3: routes.r: 'r' is also a name of the model 'm'",
    ),
    (
        "[models.small]\n[routes.r]\ntargets = ['smal']",
        "F:3: routes.r.targets: no such target 'smal'; did you mean 'small'?",
    ),
    (
        "[models.m]\n[routes.q]\ntargets = ['m']\n[routes.r]\ntargets = ['q']",
        "F:5: routes.r.targets: no such target 'q'",
    ),
    ("[models.m]\n[routes.r]\ntargets = ['groq/x']", "F:3: routes.r.targets: no such target"),
    ("[models.m]\n[routes.r]\ntargets = ['local/x']", "F:3: routes.r.targets: no such target"),
    (
        "[providers.grok]\napi_key = 'k'",
        "F:1: providers.grok: not a built-in name; did you mean 'groq'?",
    ),
    ("[providers.lab]\ndialect = 'openai_chat'", "F:1: providers.lab: not a built-in name"),
    (
        "[providers.lab]\nlike = 'vlm'",
        "F:2: providers.lab.like: expected one of 'cerebras', 'openai', 'anthropic', 'groq', ",
    ),
    ("[providers.lab]\nbase_url = 'http://h'", "F:1: providers.lab: not a built-in name"),
    (
        "[providers.lab]\ndialect = 'smoke'\nbase_url = 'http://h'",
        "F:2: providers.lab.dialect: expected one of 'openai_chat', "
        "'openai_responses', 'openai_completions', 'anthropic_messages', 'gemini', "
        "'cerebras_chat', got 'smoke'",
    ),
    (
        "[providers.lab]\ndialect = 'openai_chat'\nbase_url = 'ftp://h'",
        "F:3: providers.lab.base_url: a base URL",
    ),
    (
        "[providers.lab]\ndialect = 'openai_chat'\nbase_url = ''",
        "F:3: providers.lab.base_url: a base URL",
    ),
    (
        "[providers.lab]\ndialect = 'openai_chat'\nbase_url = 'http://u:sk-live-1234@h'",
        "F:3: providers.lab.base_url: a base URL",
    ),
    (
        "[providers.lab]\ndialect = 'openai_chat'\nbase_url = 'http://h:99999'",
        "F:3: providers.lab.base_url: a base URL",
    ),
    (
        "[providers.local]\ndialect = 'openai_chat'\nbase_url = 'http://h'",
        "F:1: providers.local: the name 'local' is kept for models that we run",
    ),
    (
        "[providers.'a/b']\ndialect = 'openai_chat'\nbase_url = 'http://h'",
        "F:1: providers.a/b: expected a name without '/'",
    ),
    ("[providers.groq]\n", "F:1: providers.groq.api_key: no key: set GROQ_API_KEY, or write"),
    (
        "[providers.groq]\napi_key = 'env:NOPE'",
        "F:2: providers.groq.api_key: the environment variable 'NOPE' is not set",
    ),
    (
        "[providers.groq]\napi_key = 'file:/nope'",
        "F:2: providers.groq.api_key: the file '/nope' cannot be read: FileNotFoundError",
    ),
    ("[providers.groq]\napi_key = ''", "F:2: providers.groq.api_key: expected printable ASCII"),
    (
        "[providers.groq]\napi_key = '''sk-live-1234\nx'''",
        "F:2: providers.groq.api_key: expected printable ASCII",
    ),
    ("[providers.groq]\napi_key = ['sk-live-1234']", "F:2: providers.groq.api_key: expected a st"),
    ("[providers]\ngroq = 'sk-live-1234'", "F:2: providers.groq: expected a table, got a string"),
    ("providers = 'sk-live-1234'", "F:1: providers: expected tables [providers.NAME], got a str"),
    ("[providers.groq]\nkey = 'sk-live-1234'", "F:2: providers.groq.key: unknown key"),
    (
        "[server]\nhost = '0.0.0.0'\nrequire_key = false",
        "F:3: server.require_key: may be off only where host is a loopback address",
    ),
    ("[server]\nworkers = 2", "F:2: server.workers: expected 1"),
    (
        "[providers.llama-server]",
        "F:1: providers.llama-server.base_url: http://127.0.0.1:8080/v1 is where this gateway list",
    ),
]


@pytest.mark.parametrize(("text", "start"), WRONG)
def test_load_wrong_file_is_told_where_and_what_is_accepted(
    text: str, start: str, place: Place
) -> None:
    """File, line, key, and what would do; the value too, unless it may be a key."""
    assert place.problem(text).startswith(start)


def test_load_reports_all_problems_at_once(place: Place) -> None:
    """Whatever is wrong in any table is told together, in the order of the file's tables."""
    text = "[sevrer]\n[server]\nport = 'x'\n[deadlines]\nidle_s = 0\n[routes.r]\nx = 1\n"
    found = place.problems(text, {"SLIPSTREAM_ENGINE_THREADS": "many"})
    assert [line.split(": ")[:2] for line in found] == [
        ["F:1", "sevrer"],
        ["F:3", "server.port"],
        ["F:5", "deadlines.idle_s"],
        ["SLIPSTREAM_ENGINE_THREADS", "engine.threads"],
        ["F:7", "routes.r.x"],
        ["F:6", "routes.r"],
    ]


def test_load_reports_all_contradictions_at_once(place: Place) -> None:
    """The rules between tables, too."""
    text = (
        "[server]\nworkers = 3\n[providers.groq]\n[providers.lab]\n"
        "[models.m]\naliases = ['m']\n[routes.r]\ntargets = ['x', 'y']\n"
    )
    found = place.problems(text)
    keys = ["providers.groq.api_key", "providers.lab", "models.m", *["routes.r.targets"] * 2]
    assert [line.split(": ")[1] for line in found] == [*keys, "server.workers"]


def test_load_problems_of_engine_and_of_models_are_told_once_each(place: Place) -> None:
    """A wrong `[engine]` hides nothing in the models' tables, and is not told again for each."""
    text = "[engine]\nthreads = 0\n[models.m]\nprofile = 'x'\nmax_queued = 0\n[models.n]\n"
    found = place.problems(text)
    assert [line.split(": ")[:2] for line in found] == [
        ["F:2", "engine.threads"],
        ["F:4", "models.m.profile"],
        ["F:5", "models.m.max_queued"],
    ]


def test_load_problem_in_file_and_variable_is_not_told_twice(place: Place) -> None:
    """Regression: with any variable set, the file's problems were reported again."""
    found = place.problems("[server]\nprot = 1\n", {"SLIPSTREAM_SERVER_PORT": "1"})
    assert len(found) == 1


# ---- the design's own file ---------------------------------------------------------------------

SKELETON = """\
[server]
host = "127.0.0.1"
port = 8080
workers = 1

[providers.cerebras]                 # a known name takes its row's defaults
api_key = "env:CEREBRAS_API_KEY"     # env:NAME, file:PATH, or the key itself

[providers.lab]                      # any other name says what it speaks
dialect = "openai_chat"
base_url = "http://127.0.0.1:9001/v1"

[models.smollm2-135m]                # a model we run
profile = "cerebras"                 # or "openai", the default
aliases = ["gpt-oss-120b"]

[routes.fast]
strategy = "ordered"                 # pinned, ordered, weighted, cheapest, fastest, balanced, race
targets = ["cerebras/gpt-oss-120b", "groq/openai/gpt-oss-120b", "lab/any-model"]
"""


def test_skeleton_names_the_provider_that_is_not_configured(place: Place) -> None:
    """A target of a provider without a table is not dropped silently."""
    found = place.problem(SKELETON, {"CEREBRAS_API_KEY": KEY})
    assert found.startswith("F:19: routes.fast.targets: no such target 'groq/openai/gpt-oss-120b'")


def test_skeleton_with_what_is_offered_loads(place: Place) -> None:
    """All else of the design's file is the file's real form."""
    text = SKELETON + "[providers.groq]\napi_key = 'k'\n"
    config = place.load(text, {"CEREBRAS_API_KEY": KEY})
    assert list(config.endpoints) == ["cerebras", "lab", "groq"]
    assert config.served["gpt-oss-120b"] == "smollm2-135m"
    assert config.profiles["gpt-oss-120b"] == config.profiles["local/gpt-oss-120b"] == "cerebras"
    assert config.routes["fast"].targets[1] == "groq/openai/gpt-oss-120b"
