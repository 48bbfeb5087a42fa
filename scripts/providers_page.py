"""Writes docs/providers.md from the rows of providers and models and the table of habits.

    python -m scripts.providers_page [--check]

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from slipstream.call import Dialect
from slipstream.catalog.models import MODELS, ModelRow
from slipstream.catalog.providers import OWN_SERVERS, PROVIDERS, EmbeddingsOffer, ProviderRow
from slipstream.catalog.tiers import tiers_of
from slipstream.choice import (
    AUDIO,
    CHOICES,
    DOCUMENTS,
    IMAGES,
    JSON_SCHEMA,
    LOGPROBS,
    REASONING,
    TOOLS,
)
from slipstream.wire.chat.habits import Habits, habits_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "providers.md"

_HEAD = """\
# Providers

<!-- Written by `make docs` from catalog/ and wire/chat/habits.py: edit those. -->

A model is named `provider/model`, or by a route's name. A provider whose usual variable is set
needs no configuration; a table says what differs:

```toml
[providers.mistral]
base_url = "https://api.eu.mistral.ai/v1"

[providers.vllm]                    # a server of your own, where it usually is

[providers.gpu-2]                   # a second one
like = "vllm"
base_url = "http://10.0.0.2:8000/v1"

[providers.lab]                     # anything else says what it speaks
dialect = "openai_chat"
base_url = "http://127.0.0.1:9000/v1"
```

A call in a dialect that its provider speaks passes through as bytes; any other is translated into
the first of the provider's dialects that can say it. The column `speaks` has them in that order.

"""

_SERVERS = """\

## Servers that people run themselves

They are asked only where the configuration has a table for them, need no key unless they were
started with one (`api_key`), and cost what nobody lists: the ledger says that the price is unknown.

"""

_MODELS = """\

## Models

What `auto` may choose among, where their provider is configured, and what plain names stand for: a
request for `gpt-oss-120b` may go to every provider that has a row with that name. Any other model
of a provider can be asked for as `provider/model`; nothing is claimed of it, so it is taken to be
able to do everything, and is in `auto` only if its table says so.

A tier is our judgement of how good a model is: 0 toy, 1 small, 2 good, 3 strong, 4 best. It was
given by size, generation and what vendors position a model for; no benchmark was run for it. A
table says otherwise for one target, or tells of one that has no row:

```toml
[targets."vllm/qwen3-32b"]
name = "qwen3-32b"
context_tokens = 40960
abilities = ["tools", "json_schema", "json_object"]
quality = 2
quality_code = 1
```

"""

_HABITS = """\

## What becomes of a chat request

Fields that a provider, or one of its models (catalog/traits.py), answers with an error are said in
its own words, left out, or refused before anything is sent: refused where the client would get
something else than it asked for (`n`, `logprobs`, `top_logprobs`, `tools`, `tool_choice`,
`response_format`, `stop`), left out otherwise. The header `x-slipstream-changed` names what was
renamed or left out. A field that Slipstream does not know either passes: the provider may know it.

A client of chat at a provider of chat keeps its bytes unless one of these is in the way; then the
request is said anew, and so is an answer that would be none to the client.

"""

_TAIL = """\

## Errors, waits and money

- An error keeps its meaning: a prompt that is too long, a refused key, a used-up quota, an
  overload. What a provider says of a key that it refuses is not repeated.
- A wait is read from `retry-after-ms`, `retry-after`, the reset of a limit of which nothing is left
  (`x-ratelimit-…`, `anthropic-ratelimit-…`; seconds, durations or times), Google's `RetryInfo` and
  the headers that OpenRouter repeats in an error. The client gets it as `Retry-After`.
- What a provider says that an answer cost is taken: OpenRouter's `usage.cost`, DeepInfra's
  `usage.estimated_cost`, xAI's `usage.cost_in_usd_ticks`. Otherwise tokens are priced by the list.
- Lists of models are read in OpenAI's, Anthropic's and Gemini's shape, all their pages.
"""

_TAKES = {
    TOOLS: "tools",
    IMAGES: "images",
    AUDIO: "sound",
    DOCUMENTS: "documents",
    JSON_SCHEMA: "schemas",
    REASONING: "effort",
    LOGPROBS: "logprobs",
    CHOICES: "`n`",
}
_NAMES = {
    Dialect.CEREBRAS_CHAT: "Cerebras's chat",
    Dialect.OPENAI_CHAT: "chat",
    Dialect.OPENAI_RESPONSES: "Responses",
    Dialect.OPENAI_COMPLETIONS: "text completions",
    Dialect.ANTHROPIC_MESSAGES: "Messages",
    Dialect.GEMINI: "Gemini",
}


def render() -> str:
    """Return the whole page."""
    provider_columns = ("name", "provider", "address", "key", "speaks", "embeddings")
    server_columns = ("name", "server", "address", "speaks", "embeddings")
    model_columns = ("model", "plain name", "context", "answer", "takes", "tier")
    chatting = [row for row in (*PROVIDERS, *OWN_SERVERS) if _chats(row)]
    habit_columns = ("name", "said otherwise", "left out or refused", "tools and messages")
    return "".join(
        (
            _HEAD,
            _table(provider_columns, map(_provider, PROVIDERS)),
            _SERVERS,
            _table(server_columns, map(_server, OWN_SERVERS)),
            _MODELS,
            _table(model_columns, map(_model, MODELS)),
            _HABITS,
            _table(habit_columns, (_habits(row.name, habits_of(row.name)) for row in chatting)),
            _TAIL,
        )
    )


def _chats(row: ProviderRow) -> bool:
    chats = (Dialect.OPENAI_CHAT, Dialect.CEREBRAS_CHAT)
    return any(spoken.dialect in chats for spoken in row.speaks)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(columns)
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _provider(row: ProviderRow) -> tuple[str, ...]:
    keys = " or ".join(f"`{name}`" for name in row.key_variables)
    return (f"`{row.name}`", row.title, f"`{row.base_url}`", keys, _speaks(row), _embeds(row))


def _server(row: ProviderRow) -> tuple[str, ...]:
    return (f"`{row.name}`", row.title, f"`{row.base_url}`", _speaks(row), _embeds(row))


def _model(row: ModelRow) -> tuple[str, ...]:
    answer = "" if row.max_output_tokens is None else f"{row.max_output_tokens:,}"
    takes = ", ".join(word for ability, word in _TAKES.items() if row.abilities & ability)
    until = "" if row.until is None else f", until {row.until.isoformat()}"
    return (
        f"`{row.provider}/{row.model}`{until}",
        f"`{row.name}`",
        f"{row.context_tokens:,}",
        answer,
        takes or "text",
        _tiers(row.name),
    )


def _tiers(name: str) -> str:
    """Return the tier for all work, and the kinds of it for which it is another."""
    tiers = dict(tiers_of(name))
    general = tiers.pop("general")
    others = [f"{task} {tier}" for task, tier in tiers.items() if tier != general]
    return f"{general}; {', '.join(others)}" if others else str(general)


def _speaks(row: ProviderRow) -> str:
    return ", ".join(_NAMES[spoken.dialect] for spoken in row.speaks)


def _embeds(row: ProviderRow) -> str:
    offer = row.embeddings
    if offer is None:
        return "none"
    said = [*_embedding_habits(offer)]
    return f"yes: {', '.join(said)}" if said else "yes"


def _embedding_habits(offer: EmbeddingsOffer) -> Iterable[str]:
    yield from (f"`{old}` is `{new}`" for old, new in offer.renamed_fields)
    yield from (f"no `{name}`" for name in offer.refused_fields)
    if not offer.takes_base64:
        yield "numbers, which become base64 here"


def _habits(name: str, habits: Habits) -> tuple[str, ...]:
    return (
        f"`{name}`",
        ", ".join(_renamed(habits)) or "nothing",
        ", ".join(_refused(habits)) or "nothing",
        ", ".join(_shapes(habits)) or "as OpenAI's",
    )


def _renamed(habits: Habits) -> Iterable[str]:
    yield f"the limit is `{habits.max_tokens}`"
    if habits.seed != "seed":
        yield f"`seed` is `{habits.seed}`"
    if habits.efforts:
        yield f"efforts are {', '.join(habits.efforts)}"
    if habits.reasoning is not None:
        where = {"chunks": "chunks of content"}.get(habits.reasoning, f"`{habits.reasoning}`")
        yield f"reasoning goes back as {where}"
    yield from (f"tier `{old}` is `{new}`" for old, new in habits.tiers.items() if old != new)


def _refused(habits: Habits) -> Iterable[str]:
    if habits.takes is not None:
        yield "fields of others that it has not"
    yield from (f"`{name}`" for name in sorted(habits.refuses))


def _shapes(habits: Habits) -> Iterable[str]:
    told = {
        "one system message": habits.has_one_system,
        "no names of speakers": not habits.takes_names,
        "no `strict`": not habits.takes_strict,
        "no form beside tools": not habits.joins_form_and_tools,
        "no tools for `tool_choice` `none`": not habits.takes_none,
        "ids of nine characters": habits.short_ids,
        "results as one text": not habits.takes_result_parts,
        "calls end without a reason": not habits.ends_calls,
        "images as data only": not habits.takes_image_urls,
        "custom tools": habits.takes_custom_tools,
    }
    return (text for text, holds in told.items() if holds)


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; return the exit status."""
    page = render()
    if arguments == ["--check"]:
        is_fresh = PAGE.is_file() and PAGE.read_text() == page
        print(f"{PAGE.name} is {'fresh' if is_fresh else 'stale: run make docs'}")
        return 0 if is_fresh else 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
