"""What a call needs of whoever answers it, read from its bytes.

Nothing that only looks like a need counts: a text may say `"image_url"`. Asked only where there is
a choice, so it may read the body; it takes time linear in its size, and never raises.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from slipstream.call import Call, Dialect
from slipstream.choice import CHAT, COMPLETIONS, EMBEDDINGS, LOGPROBS, Needs
from slipstream.wire.routing.chat_needs import chat_needs
from slipstream.wire.routing.messages_needs import messages_needs
from slipstream.wire.routing.responses_needs import responses_needs
from slipstream.wire.routing.tally import NOTHING, Tally, decoded, is_given


class _Texts(Struct):
    """Of a text completion, or of embeddings."""

    prompt: msgspec.Raw = NOTHING
    suffix: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    logprobs: msgspec.Raw = NOTHING
    n: msgspec.Raw = NOTHING
    best_of: msgspec.Raw = NOTHING


_texts_decoder: Final = msgspec.json.Decoder(_Texts)


def needs_of(call: Call) -> Needs:
    """Return what a call needs."""
    return _DIALECTS[call.dialect](call)


def _chat(call: Call) -> Needs:
    return chat_needs(call.body)


def _completions(call: Call) -> Needs:
    tally = Tally(COMPLETIONS)
    said = decoded(_texts_decoder, call.body)
    if said is None:
        return tally.needs(len(call.body))
    if is_given(said.logprobs):  # here even 0 asks for those of the text itself
        tally.abilities |= LOGPROBS
    tally.see_choices(said.n, said.best_of)
    return tally.needs(len(memoryview(said.prompt)) + len(memoryview(said.suffix)))


def _embeddings(call: Call) -> Needs:
    said = decoded(_texts_decoder, call.body)
    num_bytes = len(call.body) if said is None else len(memoryview(said.input))
    return Tally(EMBEDDINGS).needs(num_bytes)


def _messages(call: Call) -> Needs:
    return messages_needs(call.body)


def _responses(call: Call) -> Needs:
    return responses_needs(call.body, call.asked)


def _anything(call: Call) -> Needs:
    return Needs(abilities=CHAT, input_bytes=len(call.body))


_DIALECTS: Final[dict[Dialect, Callable[[Call], Needs]]] = {
    Dialect.OPENAI_CHAT: _chat,
    Dialect.CEREBRAS_CHAT: _chat,
    Dialect.OPENAI_COMPLETIONS: _completions,
    Dialect.CEREBRAS_COMPLETIONS: _completions,
    Dialect.OPENAI_EMBEDDINGS: _embeddings,
    Dialect.ANTHROPIC_MESSAGES: _messages,
    Dialect.OPENAI_RESPONSES: _responses,
    Dialect.OPENAI_COMPACTION: _responses,
    Dialect.GEMINI: _anything,  # which no client speaks
}
