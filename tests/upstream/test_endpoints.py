"""Tests of slipstream.upstream.endpoints: what the configuration says, over what is known."""

import pytest

from slipstream.call import Dialect
from slipstream.toml_settings import Problems
from slipstream.upstream.endpoints import endpoint_of, providers_of
from slipstream.upstream.relay import Endpoint
from slipstream.upstream.settings import ProviderSettings

KEY = {"CEREBRAS_API_KEY": "csk-secret"}


def made(name: str, **settings: object) -> tuple[Endpoint | None, list[str]]:
    """Return what a table makes, and the problems that were found."""
    problems = Problems(None, {})
    provider = ProviderSettings(**settings)  # type: ignore[arg-type]
    return endpoint_of(name, provider, KEY, problems), problems.texts


def test_known_provider_takes_its_rows_habits() -> None:
    """The table says only what differs."""
    endpoint, problems = made("mistral", api_key="k", relaxes_schemas=True)
    assert problems == []
    assert endpoint is not None
    assert (endpoint.like, endpoint.row, endpoint.asks_usage) == ("mistral", "mistral", False)
    assert (endpoint.dialect, endpoint.relaxes_schemas) == (None, True)


def test_key_comes_from_the_usual_variable() -> None:
    """And is not shown by the record that holds it."""
    endpoint, _ = made("cerebras")
    assert endpoint is not None
    assert endpoint.key is not None
    assert endpoint.key.reveal() == KEY["CEREBRAS_API_KEY"]
    assert "csk-secret" not in repr(endpoint)


def test_other_provider_says_what_it_speaks() -> None:
    """Also Cerebras's dialect: another Slipstream, for one."""
    endpoint, problems = made("lab", base_url="http://127.0.0.1:1/v1", dialect="cerebras_chat")
    assert problems == []
    assert endpoint is not None
    assert endpoint.dialect is Dialect.CEREBRAS_CHAT


def test_own_server_is_where_it_usually_is_and_needs_no_key() -> None:
    """A table with nothing in it is enough."""
    endpoint, problems = made("ollama")
    assert problems == []
    assert endpoint is not None
    assert (endpoint.base_url, endpoint.key) == ("http://127.0.0.1:11434/v1", None)


def test_name_of_ones_own_may_be_like_a_known_one() -> None:
    """It has the other's habits and address, but for what its table says; its name is its own."""
    endpoint, problems = made("east", like="mistral", api_key="k")
    assert problems == []
    assert endpoint is not None
    assert (endpoint.name, endpoint.row) == ("east", "mistral")
    assert endpoint.base_url == "https://api.mistral.ai/v1"
    assert not endpoint.asks_usage
    plain, _ = made("lab", base_url="http://127.0.0.1:1/v1", dialect="openai_chat")
    assert plain is not None
    assert plain.row == "lab"


def test_several_keys_are_one_endpoint() -> None:
    """The first is the preferred one; none is shown by the record that holds them."""
    endpoint, problems = made("groq", api_keys=("env:CEREBRAS_API_KEY", "gsk-secret"))
    assert problems == []
    assert endpoint is not None
    assert endpoint.key is not None
    found = [key.reveal() for key in (endpoint.key, *endpoint.more_keys)]
    assert found == ["csk-secret", "gsk-secret"]
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [
        ("lab", {"base_url": "http://127.0.0.1:1/v1"}, "not a built-in name"),
        ("lab", {}, "ollama, openai, openrouter, vllm, xai); others need 'like', or 'dialect'"),
        ("cerebra", {"dialect": "openai_chat"}, "cerebras"),
        ("lab", {"base_url": "ftp://x", "dialect": "openai_chat"}, "providers.lab.base_url"),
        ("groq", {"api_key": "env:NOWHERE"}, "providers.groq.api_key"),
        ("groq", {"api_keys": ("k", "env:NOWHERE")}, "providers.groq.api_keys: key 2 of the list"),
    ],
)
def test_table_that_makes_no_endpoint_is_a_problem(
    name: str, settings: dict[str, object], wanted: str
) -> None:
    """The problem names the table, the key and what to do."""
    endpoint, problems = made(name, **settings)
    assert endpoint is None
    assert len(problems) == 1
    assert wanted in problems[0]


def test_variables_alone_make_providers() -> None:
    """Without a file, every provider is there whose variable is set."""
    assert list(providers_of(KEY)) == ["cerebras"]
    assert providers_of({"CEREBRAS_API_KEY": ""}) == {}
