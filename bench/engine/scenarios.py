"""What is measured: each scenario asks every contestant that can do it, once a round."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.engine.contestants import Running
from bench.results import SUBJECT, Metric, Results

_IDS: Final = (300, 40_000)  # ordinary tokens of the vocabulary
_SCHEMA: Final = """{"type": "object", "additionalProperties": false,
 "required": ["name", "age", "email", "address", "tags", "is_active"],
 "properties": {"name": {"type": "string", "maxLength": 30}, "age": {"type": "integer"},
  "email": {"type": "string", "maxLength": 30}, "is_active": {"type": "boolean"},
  "address": {"type": "object", "additionalProperties": false,
   "required": ["street", "city", "country"],
   "properties": {"street": {"type": "string", "maxLength": 30},
    "city": {"type": "string", "maxLength": 20}, "country": {"enum": ["France", "Japan"]}}},
  "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 3}}}"""


@dataclass(slots=True)
class Round:
    """One round of a run: who is there, and where figures go."""

    number: int
    running: Sequence[Running]
    results: Results
    is_quick: bool
    failed: list[str]

    def tokens(self, quick: int, full: int) -> int:
        """Choose a length."""
        return quick if self.is_quick else full

    def text(self, name: str, num_tokens: int) -> list[int]:
        """Return token ids that are the same for all contestants of a round, and new in each."""
        source = random.Random(f"{name} {self.number}")
        return [source.randrange(*_IDS) for _ in range(num_tokens)]

    def ours(self) -> Running | None:
        """Return Slipstream's process, if it takes part."""
        return next((each for each in self.running if each.row.name == SUBJECT), None)

    def ask(self, who: Running, task: str, **args: Any) -> Any:
        """Ask a contestant; a failure is noted, and None returned."""
        try:
            return who.ask(task, **args)
        except (RuntimeError, OSError) as exc:
            self.failed.append(f"{who.row.name}: {task}: {exc}")
            self.results.note(f"a sample is missing: {exc}")
            return None

    def add(self, metric: Metric, who: Running, value: float | None) -> None:
        """Keep a figure."""
        if value is not None:
            self.results.add(metric, who.row.name, self.number, value)


DECODE: Final = Metric("decode", "one answer", "tok/s", is_more_better=True)
GUESSES: Final = "genai-lookup"  # the peer that does
UNGUESSED: Final = Metric("plain", "one answer, nothing guessed", "tok/s", is_more_better=True)
TOGETHER: Final = Metric("together", "16 answers at once, in all", "tok/s", is_more_better=True)
PREFILL: Final = Metric("prefill", "reading a prompt of 512", "tok/s", is_more_better=True)
LOOKUP: Final = Metric("lookup", "an answer that repeats its prompt", "tok/s", is_more_better=True)
PLAIN: Final = Metric("prediction", "a story, no prediction", "tok/s", is_more_better=True)


def decode(this: Round) -> None:
    """One greedy answer, from its first token on: as it comes, and with nothing guessed."""
    prompt, most = this.text("decode", 32), this.tokens(32, 160)
    for who in this.running:
        if "decode" not in who.tasks:
            continue
        rate = this.ask(who, "decode", prompt=prompt, max_tokens=most)
        this.add(DECODE, who, rate)
        if who.row.name == SUBJECT:
            rate = this.ask(who, "plain", prompt=prompt, max_tokens=most, is_varied=False)
        if who.row.name != GUESSES:
            this.add(UNGUESSED, who, rate)


def together(this: Round) -> None:
    """Sixteen answers at once, with the reading of their short prompts."""
    prompts = [this.text(f"together {number}", 16) for number in range(16)]
    for who in this.running:
        if "together" in who.tasks:
            most = this.tokens(12, 64)
            this.add(TOGETHER, who, this.ask(who, "together", prompts=prompts, max_tokens=most))


def prefill(this: Round) -> None:
    """A prompt that nobody has seen, until its first token."""
    for who in this.running:
        if "first" in who.tasks:
            seconds = this.ask(who, "first", prompt=this.text("prefill", 512))
            this.add(PREFILL, who, None if seconds is None else 512 / seconds)


def lookup(this: Round) -> None:
    """A prompt that holds the greedy answer already: look-ups guess it."""
    ours = this.ours()
    if ours is None:
        return
    start, most = this.text("lookup", 24), this.tokens(32, 96)
    answer = this.ask(ours, "greedy", prompt=start, max_tokens=most)
    if answer is None:
        return
    prompt = start + answer + start
    for who in this.running:
        if "decode" in who.tasks:
            this.add(LOOKUP, who, this.ask(who, "decode", prompt=prompt, max_tokens=most))


def prediction(this: Round) -> None:
    """An exact answer with a right, a half-right and a wrong prediction, against plain decoding."""
    ours = this.ours()
    if ours is None:
        return
    prompt, most = this.text("prediction", 32), this.tokens(48, 192)
    right = this.ask(ours, "write", prompt=prompt, max_tokens=most)
    other = this.ask(ours, "write", prompt=this.text("another", 32), max_tokens=most)
    plain = this.ask(ours, "plain", prompt=prompt, max_tokens=most, is_varied=True)
    if right is None or other is None or plain is None:
        return
    this.add(PLAIN, ours, plain)
    drafts = {
        "right": (right, "≥ 5", 5.0),
        "half-right": (half_right(right, other), "≥ 2", 2.0),
        "right but for edits": (edited(right), "≥ 2", 2.0),
        "wrong": (other, "≥ 0.95", 0.95),
    }
    for name, (text, budget, limit) in drafts.items():
        said = this.ask(ours, "drafted", prompt=prompt, max_tokens=most, prediction=text)
        if said is not None:
            metric = _times(f"prediction {name} / none", budget, limit)
            this.add(metric, ours, said["tokens_per_s"] / plain)
            this.results.note(
                f"{name} prediction, round {this.number}: {said['accepted']} tokens accepted, "
                f"{said['rejected']} rejected, {said['lookup']} looked up, of {most}"
            )


def half_right(right: str, other: str) -> str:
    """Return a text whose every second stretch of 60 characters is another text's."""
    size = 60
    pieces = [
        (right if number % 2 == 0 else other)[start : start + size]
        for number, start in enumerate(range(0, len(right), size))
    ]
    return "".join(pieces)


def edited(right: str) -> str:
    """Return a text in which every twelfth word is another."""
    words = right.split(" ")
    words[5::12] = ["indeed"] * len(words[5::12])
    return " ".join(words)


def cached(this: Round) -> None:
    """A prompt whose first 1,000 tokens are cached, until its first token."""
    ours = this.ours()
    if ours is None:
        return
    tails = [this.text(f"tail {number}", 8) for number in range(3)]
    said = this.ask(ours, "cached", prefix=this.text("cached", 1000), tails=tails)
    if said is not None:
        metric = _times("first token, 1,000 new / 1,000 cached tokens", "≥ 10", 10.0)
        this.add(metric, ours, said["uncached_s"] / said["cached_s"])
        this.add(_plain("first token, 1,000 cached tokens", "ms"), ours, said["cached_s"] * 1e3)
        this.results.note(f"cached tokens of 1,008: {said['cached_tokens']}")


def json_answer(this: Round) -> None:
    """An answer under a JSON Schema, against plain decoding of the same prompt."""
    ours = this.ours()
    if ours is None:
        return
    prompt, most = this.text("json", 32), 160
    plain = this.ask(ours, "plain", prompt=prompt, max_tokens=this.tokens(48, 96), is_varied=False)
    said = this.ask(ours, "json", prompt=prompt, max_tokens=most, schema=_SCHEMA)
    if plain is not None and said is not None:
        metric = _times("an answer under a JSON Schema / plain", "≥ 1", 1.0)
        this.add(metric, ours, said["tokens_per_s"] / plain)
        this.results.note(f"of {said['num_tokens']} tokens of JSON {said['forced']} were forced")


def share(this: Round) -> None:
    """What our Python takes of a step."""
    ours = this.ours()
    if ours is None:
        return
    prompts = [this.text(f"share {number}", 16) for number in range(16)]
    cases = {
        "1 answer, greedy": (prompts[:1], 0.0),
        "16 answers, greedy": (prompts, 0.0),
        "16 answers, sampled": (prompts, 0.8),
    }
    most = this.tokens(16, 64)
    for name, (asked, temperature) in cases.items():
        said = this.ask(ours, "share", prompts=asked, max_tokens=most, temperature=temperature)
        if said is not None:
            metric = Metric("share", f"our Python in a step: {name}", "%", False, "≤ 5 %", 5.0)
            this.add(metric, ours, said["share"] * 100)
            this.add(_plain(f"our Python in a step: {name}", "µs"), ours, said["python_us"])


def gaps(this: Round) -> None:
    """Eight running streams while a prompt of 2,000 tokens is read beside them."""
    ours = this.ours()
    if ours is None:
        return
    streams = [this.text(f"stream {number}", 16) for number in range(8)]
    prompt, most = this.text("long", 2000), this.tokens(160, 240)
    said = this.ask(ours, "gaps", streams=streams, max_tokens=most, prompt=prompt)
    if said is not None:
        metric = Metric("gaps", "longest gap beside a prompt of 2,000", "× median", False, "≤ 3", 3)
        this.add(metric, ours, said["stretch"])
        this.add(_plain("median gap of 8 streams", "ms"), ours, said["median_ms"])
        this.add(_plain("that prompt's first token", "s"), ours, said["reading_s"])


def _times(name: str, budget: str, limit: float) -> Metric:
    return Metric("ratio", name, "×", True, budget, limit)


def _plain(name: str, unit: str) -> Metric:
    return Metric("figure", name, unit)


SCENARIOS: Final[dict[str, Callable[[Round], None]]] = {
    "decode": decode,
    "together": together,
    "prefill": prefill,
    "lookup": lookup,
    "prediction": prediction,
    "cached": cached,
    "json": json_answer,
    "share": share,
    "gaps": gaps,
}
