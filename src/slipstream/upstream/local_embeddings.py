"""Embeddings of a model that we run: the request in the engine's words, its vectors as an answer.

Many inputs go to the engine a portion at a time: each portion has the deadline of a first token to
itself, others take their turn in between, and a client that leaves stops the rest.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from slipstream.call import Call, Frame, Meaning, Usage
from slipstream.choice import Attempt
from slipstream.engine.protocol import Embedded
from slipstream.errors import BadRequest, ContextTooLong
from slipstream.wire.embeddings import parse_embeddings
from slipstream.wire.embeddings_answer import encode_embeddings, encode_items
from slipstream.wire.texts import Text

Embed = Callable[[tuple[Text, ...], int | None, Attempt], Awaitable[Embedded]]
"""From inputs, the wanted dimensions and the attempt whose deadlines hold."""

# About two of the engine's own batches: little is lost to padding at the seams.
_PORTION_TOKENS: Final = 8192
_PORTION_INPUTS: Final = 256  # writing the numbers of more would hold up everyone else for long
_CHARS_PER_TOKEN: Final = 4


async def answer_embeddings(call: Call, embed: Embed) -> Frame:
    """Return the whole answer to a call.

    Raises:
        BadRequest: The body; or what `embed` raises of an input.
        GatewayError: What else `embed` raises.
    """
    attempt = call.attempt
    assert attempt is not None, "dispatch aims every call"
    asked = parse_embeddings(call.body)
    items: list[bytes] = []
    prompt_tokens = 0
    for start, end in portions(asked.inputs):
        try:
            made = await embed(asked.inputs[start:end], asked.dimensions, attempt)
        except (BadRequest, ContextTooLong) as error:
            if start and error.param == "input":  # the engine counts from the portion's first
                error.args = (f"Of input[{start}:{end}]: {error.message}",)
            raise
        prompt_tokens += made.prompt_tokens
        items.append(
            encode_items(
                made.vectors, made.dimensions, first_index=start, is_base64=asked.is_base64
            )
        )
    body = encode_embeddings(items, model=call.model, prompt_tokens=prompt_tokens)
    return Frame(body, Meaning.END, Usage(input_tokens=prompt_tokens))


def portions(inputs: Sequence[Text]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the inputs that go to the engine together, at least one at a time."""
    start = num_tokens = 0
    for index, each in enumerate(inputs):
        size = len(each) // _CHARS_PER_TOKEN + 1 if isinstance(each, str) else len(each)
        is_full = num_tokens + size > _PORTION_TOKENS or index - start == _PORTION_INPUTS
        if index > start and is_full:
            yield start, index
            start, num_tokens = index, 0
        num_tokens += size
    yield start, len(inputs)
