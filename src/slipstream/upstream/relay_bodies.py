"""What a provider is sent for a call in one of its own dialects, or in one that is near it.

                   to OpenAI's like              to Cerebras's like
an OpenAI chat     fitted to its habits          made acceptable
a Cerebras chat    said in OpenAI's words        only the model changes
text completions   patched, where it speaks them Cerebras's: only the model changes

Messages and Responses go without fields that the model refuses and what we put into answers. A
Responses request that goes on with an answer which only we keep is said anew, with all of that.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from slipstream.call import Call, Dialect
from slipstream.catalog.traits import traits_of
from slipstream.wire.cerebras.models import MODELS
from slipstream.wire.cerebras.outbound import Adapted, adapt_chat
from slipstream.wire.cerebras.to_openai import adapt_to_openai
from slipstream.wire.chat.habits import habits_of
from slipstream.wire.chat.passing import Known, Passing, word_of
from slipstream.wire.chat.passing_messages import Fields
from slipstream.wire.messages.withheld import without_own_parcels
from slipstream.wire.openai_chat import patch_request, read_fields, write_fields
from slipstream.wire.responses.following import Following
from slipstream.wire.responses.kept import known_upstream
from slipstream.wire.talk.parcels import MARK

Prepare = Callable[[Call, str], Adapted | None]
"""From a call and the upstream's own model to what is sent, and what of it was changed.

None where the call must be said anew, as one of another dialect is. Raises BadRequest, or
Unsupported where another target may take the call.
"""

_MAX_KNOWN: Final = 512
_PARCEL: Final = MARK.encode()
# Anthropic's API takes no word on how tokens are chosen since then (providers.md, section 2).
_VERSION, _WITHOUT_SAMPLING = b"anthropic-version", b"2026-10-21"
_SAMPLING: Final = frozenset({"temperature", "top_p", "top_k"})


class Ways(NamedTuple):
    """How a provider's requests differ from others of its dialect.

    Args:
        vendor: The name of its row, whose habits hold; any other name has none.
        asks_usage: Its streams report usage only when asked to.
        relaxes_schemas: Keywords that a strict schema cannot have there are left out.
    """

    vendor: str = ""
    asks_usage: bool = True
    relaxes_schemas: bool = False


def bodies_for(dialect: Dialect, ways: Ways) -> dict[Dialect, Prepare]:
    """Return how a call of each dialect is prepared for a provider that speaks this one."""
    return _PROVIDERS[dialect](ways)


@lru_cache(maxsize=_MAX_KNOWN)
def known_of(model: str, effort: str | None) -> Known:
    """Return what is known of a model; see traits_of."""
    traits = traits_of(model, effort)
    return Known(traits.refuses, traits.efforts, traits.thinks)


def _known(fields: Fields, model: str) -> Known:
    raw = fields.get("reasoning_effort")
    return known_of(model, None if raw is None else word_of(raw) or None)


# ---- to providers of chat ------------------------------------------------------------------------


def _for_openai(ways: Ways) -> dict[Dialect, Prepare]:
    passing = Passing(habits_of(ways.vendor), ways.vendor)

    def fit(fields: Fields, model: str, *, ask_usage: bool) -> Adapted | None:
        changes = passing.fit(fields, _known(fields, model))
        if changes is None:
            return None
        return Adapted(write_fields(fields, model=model, ask_usage=ask_usage), changes)

    def pass_on(call: Call, model: str) -> Adapted | None:
        return fit(read_fields(call.body), model, ask_usage=_must_ask(call, ways))

    def translate(call: Call, model: str) -> Adapted | None:
        body, changes = adapt_to_openai(call.body)
        ask_usage = call.is_stream and ways.asks_usage
        fitted = fit(read_fields(body), model, ask_usage=ask_usage)
        return None if fitted is None else Adapted(fitted.body, (*changes, *fitted.changes))

    return {Dialect.OPENAI_CHAT: pass_on, Dialect.CEREBRAS_CHAT: translate}


def _for_texts(ways: Ways) -> dict[Dialect, Prepare]:
    def patch(call: Call, model: str) -> Adapted:
        return Adapted(patch_request(call.body, model=model, ask_usage=_must_ask(call, ways)), ())

    return {Dialect.OPENAI_COMPLETIONS: patch}


def _must_ask(call: Call, ways: Ways) -> bool:
    return call.is_stream and ways.asks_usage and not call.wants_usage


def _for_cerebras(ways: Ways) -> dict[Dialect, Prepare]:
    def adapt(call: Call, model: str) -> Adapted:
        return adapt_chat(
            call.body, model=model, row=MODELS.get(model), relaxes=ways.relaxes_schemas
        )

    return {
        Dialect.OPENAI_CHAT: adapt,
        Dialect.CEREBRAS_CHAT: _name_model,
        Dialect.CEREBRAS_COMPLETIONS: _name_model,
    }


def _name_model(call: Call, model: str) -> Adapted:
    return Adapted(patch_request(call.body, model=model, ask_usage=False), ())


# ---- to providers of Messages and Responses ------------------------------------------------------


def _for_messages(ways: Ways) -> dict[Dialect, Prepare]:
    def pass_on(call: Call, model: str) -> Adapted | None:
        if Dialect.ANTHROPIC_MESSAGES in known_of(model, None).refuses:
            return None
        body = without_own_parcels(call.body)
        withheld = () if body is call.body else ("messages.thinking",)
        is_newer = any(h == _VERSION and since >= _WITHOUT_SAMPLING for h, since in call.headers)
        fitted = _without_refused(body, model, _SAMPLING if is_newer else frozenset())
        return Adapted(fitted.body, (*fitted.changes, *withheld))

    return {Dialect.ANTHROPIC_MESSAGES: pass_on}


def _for_responses(ways: Ways) -> dict[Dialect, Prepare]:
    def pass_on(call: Call, model: str) -> Adapted | None:
        body, following = call.body, call.asked
        if _PARCEL in body:
            return None
        if isinstance(following, Following):
            assert call.attempt is not None, "dispatch aims every call"
            if not following.is_readable_at(call.attempt.target.provider):
                return None
            body = known_upstream(following, body)
        return _without_refused(body, model)

    return {Dialect.OPENAI_RESPONSES: pass_on, Dialect.OPENAI_COMPACTION: _name_model}


def _without_refused(body: bytes, model: str, more: frozenset[str] = frozenset()) -> Adapted:
    """Leave out the fields that the model refuses; they say how tokens are chosen.

    Args:
        more: What the version of the API refuses whatever the model.
    """
    fields = read_fields(body)
    refuses = known_of(model, None).refuses | more
    dropped = tuple(name for name in fields if name in refuses) if refuses else ()
    for name in dropped:
        del fields[name]
    return Adapted(write_fields(fields, model=model, ask_usage=False), dropped)


def _for_none(ways: Ways) -> dict[Dialect, Prepare]:
    return {}


_PROVIDERS = {
    Dialect.OPENAI_CHAT: _for_openai,
    Dialect.CEREBRAS_CHAT: _for_cerebras,
    Dialect.ANTHROPIC_MESSAGES: _for_messages,
    Dialect.OPENAI_COMPLETIONS: _for_texts,
    Dialect.OPENAI_RESPONSES: _for_responses,
    Dialect.GEMINI: _for_none,  # no client speaks it
}
