"""Compares greedy tokens with openvino-genai's plain pipeline, prompt by prompt.

Where they part, the margin at that place is told: how much likelier our first choice was than the
second. A tiny one is a near tie, which rounding decides; `NEAR` says what counts as tiny. Twice:
with nothing quantised on the fly, where only the last bits may differ, and as both come, where the
activations are quantised after arithmetic that differs in those bits.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

from bench.engine.contestants import Running

NEAR: Final = {"whole": 0.001, "quantised": 0.6}  # natural logarithms; logits differ by so much
MAX_TOKENS: Final = 24
_VERBS: Final = ("Describe", "Explain", "Write a poem about", "Tell a story about", "List facts on")
_THINGS: Final = (
    *("the sea", "a bridge", "rain", "an old clock", "bread", "the moon", "a violin", "winter"),
    *("a library", "honey bees", "steel", "a market", "rivers", "the alphabet", "chess", "salt"),
    *("a lighthouse", "mountains", "tea", "a train", "the sun", "paper", "gardens", "a castle"),
    *("wolves", "glass", "silk", "maps", "a volcano", "sleep", "ships", "wheat", "deserts"),
    *("a candle", "snow", "horses", "coffee", "the wind", "a mirror", "numbers"),
)


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two answers part, and by how much ours was sure."""

    prompt: str
    place: int
    margin: float
    near: float

    @property
    def is_near(self) -> bool:
        """Whether rounding may decide it."""
        return self.margin <= self.near

    def __str__(self) -> str:
        kind = "a near tie" if self.is_near else "NOT a near tie"
        return f"{self.prompt!r}, token {self.place}: margin {self.margin:.4f}, {kind}"


def texts(num: int) -> list[str]:
    """Return prompts, each different."""
    return [f"{verb} {thing}." for verb, thing in product(_VERBS, _THINGS)][:num]


def compare(ours: Running, theirs: Running, num: int, near: float) -> list[Parting]:
    """Ask both for the greedy answer to each prompt; return where they part."""
    partings = []
    for text in texts(num):
        prompt = ours.ask("encode", text=text)
        left = ours.ask("greedy", prompt=prompt, max_tokens=MAX_TOKENS)
        right = theirs.ask("greedy", prompt=prompt, max_tokens=MAX_TOKENS)
        if left != right:
            pairs = zip(left, right, strict=False)
            same = next(
                (i for i, (a, b) in enumerate(pairs) if a != b), min(map(len, (left, right)))
            )
            margin = ours.ask("margin", prompt=prompt + left[:same])
            partings.append(Parting(text, same, margin, near))
    return partings
