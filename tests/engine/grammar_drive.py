"""The real vocabulary for tests of grammars, and ways to drive a matcher through an answer."""

from functools import cache
from random import Random

import numpy as np

from slipstream.engine.grammar import Matcher
from slipstream.engine.grammar_spec import ToolFormat
from slipstream.engine.grammar_tokens import GrammarTokens
from slipstream.engine.grammars import Grammars
from slipstream.engine.masks import Mask, allows
from slipstream.engine.template import Guard
from slipstream.engine.tokenizer import Tokenizer
from slipstream.engine.weights.manifest import TOKENIZER_FILE, read_facts, read_tokens
from tests.prepared_model import prepared_directory

HERMES = ToolFormat(
    begin="<tool_call>\n", end="\n</tool_call>", separator="\n", trigger="<tool_call>"
)
LLAMA = ToolFormat(arguments_key="parameters", separator="; ", at_start=True)
# The embedded model has no control token for calls: one of its own stands for [TOOL_CALLS].
MISTRAL = ToolFormat(opening="<jupyter_start>[", separator=", ", closing="]")
DEEPSEEK = ToolFormat(
    opening="<file_sep>",
    begin="<filename>function<gh_stars>",
    middle="\n```json\n",
    end="\n```<issue_start>",
    separator="\n",
    closing="<issue_closed>",
)
NAMED = ToolFormat(begin="<function=", middle=">", end="</function>", separator=None)


@cache
def tokenizer() -> Tokenizer:
    """Return the embedded model's own tokenizer."""
    directory = prepared_directory()
    facts, table = read_facts(directory), read_tokens(directory)
    control_ids = {table.bytes[token_id].decode(): token_id for token_id in table.special}
    return Tokenizer(
        directory / TOKENIZER_FILE,
        guard=Guard(control_ids),
        control_ids=control_ids,
        bos_id=facts.bos_token_id,
    )


def encode(text: str) -> list[int]:
    """Return a text's tokens; names of control tokens are letters."""
    return tokenizer().encode_prompt(_guard().hide(text))


@cache
def tokens() -> GrammarTokens:
    """Return the embedded model's vocabulary."""
    directory = prepared_directory()
    facts, table = read_facts(directory), read_tokens(directory)
    return GrammarTokens(table, end_ids=facts.eos_token_ids, encode=encode)


def grammars(tool_format: ToolFormat = HERMES) -> Grammars:
    """Return an empty cache of grammars."""
    return Grammars(tokens(), tool_format)


def written(token_ids: list[int]) -> str:
    """Return the text of tokens, control tokens by their names."""
    names = {token_id: name.encode() for name, token_id in tokens().controls.items()}
    return b"".join(names.get(each, tokens().text_of(each)) for each in token_ids).decode()


def allowed(mask: Mask | None) -> list[int]:
    """Return the tokens that a mask lets pass."""
    assert mask is not None, "nothing is asked here"
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")
    ids: list[int] = np.flatnonzero(bits).tolist()
    return ids


def written_at_random(matcher: Matcher, random: Random, *, most: int = 3000) -> str:
    """Return what a matcher lets a model without sense write, forced tokens included.

    Every other token is one that ends something, where one may come: so that strings do end.
    """
    answer: list[int] = []
    while not matcher.is_over and len(answer) < most:
        token_ids = matcher.forced() or [_any_token(matcher, random)]
        if token_ids[0] in tokens().ends:
            return written(answer)
        for token_id in token_ids:
            matcher.accept(token_id)
            answer.append(token_id)
    assert matcher.is_over, f"no end after {most} tokens: {written(answer[-50:])}"
    return written(answer)


def feed(matcher: Matcher, text: str) -> list[Mask | None]:
    """Let a matcher accept a text, token by token; return the masks that let them pass.

    Names of control tokens stand for the tokens.
    """
    masks = []
    for token_id in tokens_of(text):
        mask = matcher.masks()[0]
        assert allows(mask, token_id), f"{written([token_id])!r} of {text!r} may not come"
        matcher.accept(token_id)
        masks.append(mask)
    return masks


def tokens_of(text: str) -> list[int]:
    """Return a text's tokens; names of control tokens stand for the tokens."""
    return tokenizer().encode_prompt(text)


@cache
def _guard() -> Guard:
    return Guard(tokens_names())


def tokens_names() -> list[str]:
    """Return the names of control tokens."""
    table = read_tokens(prepared_directory())
    return [table.bytes[token_id].decode() for token_id in table.special]


def _any_token(matcher: Matcher, random: Random) -> int:
    mask = matcher.masks()[0]
    assert mask is not None, "nothing is asked here"
    closing = mask & _closing()
    return random.choice(allowed(closing if closing.any() and random.random() < 0.5 else mask))


@cache
def _closing() -> Mask:
    """Return a mask of the tokens that begin with what ends a string, an object or a list."""
    table = read_tokens(prepared_directory())
    bits = np.array([text[:1] in (b'"', b"}", b"]") for text in table.bytes])
    return np.packbits(bits, bitorder="little").view(np.int32)
