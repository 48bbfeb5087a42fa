"""What a provider is sent for a chat or a text completion, by what client and provider speak.

                   to OpenAI's like              to Cerebras's like
an OpenAI chat     patched                       made acceptable
a Cerebras chat    said in OpenAI's words        only the model changes
text completions   not relayed                   Cerebras's: only the model changes

Messages and Responses go to those that speak them with only the model changed.
"""

from collections.abc import Callable
from typing import NamedTuple

from slipstream.call import Call, Dialect
from slipstream.wire.cerebras.models import MODELS
from slipstream.wire.cerebras.outbound import Adapted, adapt_chat
from slipstream.wire.cerebras.to_openai import adapt_to_openai
from slipstream.wire.openai_chat import fields_among, patch_request

Prepare = Callable[[Call, str], Adapted]
"""From a call and the upstream's own model to what is sent, and what of it was changed.

Raises BadRequest, or Unsupported where another target may take the call.
"""


class Habits(NamedTuple):
    """How a provider's requests differ from others of its dialect.

    Args:
        asks_usage: Its streams report usage only when asked to.
        refused_fields: Top-level fields to leave out.
        relaxes_schemas: Keywords that a strict schema cannot have there are left out.
    """

    asks_usage: bool = True
    refused_fields: tuple[str, ...] = ()
    relaxes_schemas: bool = False


def bodies_for(dialect: Dialect, habits: Habits) -> dict[Dialect, Prepare]:
    """Return how a call of each dialect is prepared for a provider that speaks this one."""
    return _PROVIDERS[dialect](habits)


def _for_openai(habits: Habits) -> dict[Dialect, Prepare]:
    def patch(call: Call, model: str) -> Adapted:
        ask_usage = call.is_stream and habits.asks_usage and not call.wants_usage
        return _patched(call.body, model, habits, ask_usage=ask_usage)

    def translate(call: Call, model: str) -> Adapted:
        body, changes = adapt_to_openai(call.body)
        patched = _patched(body, model, habits, ask_usage=call.is_stream and habits.asks_usage)
        return Adapted(patched.body, (*changes, *patched.changes))

    return {Dialect.OPENAI_CHAT: patch, Dialect.CEREBRAS_CHAT: translate}


def _for_cerebras(habits: Habits) -> dict[Dialect, Prepare]:
    def adapt(call: Call, model: str) -> Adapted:
        return adapt_chat(
            call.body, model=model, row=MODELS.get(model), relaxes=habits.relaxes_schemas
        )

    return {
        Dialect.OPENAI_CHAT: adapt,
        Dialect.CEREBRAS_CHAT: _name_model,
        Dialect.CEREBRAS_COMPLETIONS: _name_model,
    }


def _for_same(dialect: Dialect) -> Callable[[Habits], dict[Dialect, Prepare]]:
    def prepared(habits: Habits) -> dict[Dialect, Prepare]:
        return {dialect: _name_model}

    return prepared


def _for_none(habits: Habits) -> dict[Dialect, Prepare]:
    return {}


def _name_model(call: Call, model: str) -> Adapted:
    return Adapted(patch_request(call.body, model=model, ask_usage=False), ())


def _patched(body: bytes, model: str, habits: Habits, *, ask_usage: bool) -> Adapted:
    refused = habits.refused_fields
    left_out = fields_among(body, refused) if refused else ()
    return Adapted(patch_request(body, model=model, ask_usage=ask_usage, drop=refused), left_out)


_PROVIDERS = {
    Dialect.OPENAI_CHAT: _for_openai,
    Dialect.CEREBRAS_CHAT: _for_cerebras,
    Dialect.ANTHROPIC_MESSAGES: _for_same(Dialect.ANTHROPIC_MESSAGES),
    Dialect.OPENAI_RESPONSES: _for_same(Dialect.OPENAI_RESPONSES),
    Dialect.GEMINI: _for_none,  # no client speaks it
}
