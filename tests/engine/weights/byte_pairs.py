"""A plain byte-pair encoder over a GGUF's vocabulary; the regular expressions are done by hand."""

import re
import unicodedata
from functools import partial

from slipstream.engine.weights.gguf_file import GgufHead
from slipstream.engine.weights.tokens import byte_for_character

_ENDINGS = re.compile(r"'(?:s|t|re|ve|m|ll|d)")


def encode(head: GgufHead, whole: tuple[str, ...], text: str) -> list[int]:
    """Encode as the `smollm` kind does: digits one by one, then GPT-2's way of splitting."""
    tokens = head.column("tokenizer.ggml.tokens", str)
    ids = {token: index for index, token in enumerate(tokens)}
    merges = head.column("tokenizer.ggml.merges", str)
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    result: list[int] = []
    for part in re.split("(" + "|".join(map(re.escape, whole)) + ")", text):
        if part in whole:
            result.append(ids[part])
            continue
        words = (word for piece in _without_digits(part) for word in _words(piece))
        result += [ids[token] for word in words for token in _merged(word, ranks)]
    return result


def _without_digits(text: str) -> list[str]:
    pieces: list[str] = [""]
    for character in text:
        if unicodedata.category(character)[0] == "N":
            pieces += [character, ""]
        else:
            pieces[-1] += character
    return [piece for piece in pieces if piece]


def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "other"


def _words(text: str) -> list[str]:
    words, start = [], 0
    while start < len(text):
        end = _word_end(text, start)
        words.append(text[start:end])
        start = end
    return words


def _word_end(text: str, start: int) -> int:
    ending = _ENDINGS.match(text, start)
    if ending:
        return ending.end()
    first = start + 1 if text[start] == " " and start + 1 < len(text) else start
    kind = _kind(text[first])
    if kind != "space":
        return _run_end(text, first, kind)
    end = _run_end(text, start, "space")
    # The last space before a word belongs to the word.
    return end - 1 if end < len(text) and end - start > 1 else end


def _run_end(text: str, start: int, kind: str) -> int:
    end = start
    while end < len(text) and _kind(text[end]) == kind:
        end += 1
    return end


def _merged(word: str, ranks: dict[tuple[str, ...], int]) -> list[str]:
    character_for = {byte: character for character, byte in byte_for_character().items()}
    parts = [character_for[byte] for byte in word.encode()]
    rank_at = partial(_rank_at, ranks)
    while len(parts) > 1:
        best = min(range(len(parts) - 1), key=lambda at: rank_at(parts, at))
        if rank_at(parts, best) == len(ranks):
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts


def _rank_at(ranks: dict[tuple[str, ...], int], parts: list[str], at: int) -> int:
    return ranks.get((parts[at], parts[at + 1]), len(ranks))
