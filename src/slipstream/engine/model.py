"""A loaded model: from what a gateway asks to what the engine runs, or to vectors.

`make_request`, `count` and `embed` belong to one thread, everything else is read-only.
"""

import os
import secrets
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from slipstream.engine.answer_text import AnswerText
from slipstream.engine.blocks import BlockPool
from slipstream.engine.choice import Choice
from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.drafts import Drafter
from slipstream.engine.embedder import Embedder
from slipstream.engine.families import Family
from slipstream.engine.grammar import Matcher
from slipstream.engine.grammars import Grammars
from slipstream.engine.pace import StepCosts
from slipstream.engine.prompt import Prompt, Prompts, offered_tools
from slipstream.engine.protocol import Count, Counted, Embed, Embedded, Generate, Ready
from slipstream.engine.request import Request
from slipstream.engine.runner import PagedRunner
from slipstream.engine.sampler import History, Sampling
from slipstream.engine.scheduler import Scheduler
from slipstream.engine.sequence import Sequence
from slipstream.engine.settings import EngineSettings
from slipstream.engine.stops import StopScanner
from slipstream.errors import BadRequest

_ID_BYTES: Final = 12
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the tokens of one model are.

    Args:
        ends: Those that end an answer.
        hidden: Those that are no text of an answer.
        parsed: Hidden ones that a family's parser reads by their names.
    """

    bytes: tuple[bytes, ...]
    ends: frozenset[int]
    hidden: frozenset[int]
    parsed: frozenset[int]

    def text(self, token_ids: Iterable[int]) -> str:
        """Return what tokens spell, control tokens by their names."""
        return b"".join(self.bytes[token_id] for token_id in token_ids).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """Everything that one model needs to answer."""

    ready: Ready
    runner: PagedRunner
    pool: BlockPool
    scheduler: Scheduler
    costs: StepCosts
    _settings: EngineSettings
    _prompts: Prompts
    _grammars: Grammars
    _family: Family
    _vocabulary: Vocabulary

    @property
    def paces_prompts(self) -> bool:
        """Whether nobody has set how fast prompts are read beside answers."""
        return self._settings.mixed_prompt_tokens is None

    def make_request(
        self, message: Generate, *, key: Hashable, reply: object, now_s: float
    ) -> Request:
        """Turn a message into what the engine answers; takes as long as its prompt is long.

        Raises:
            BadRequest: The template cannot express the messages, or a field cannot be granted.
            ContextTooLong: No room is left for an answer.
            OutOfBlocks: The cache is smaller than this prompt.
        """
        if not 0 < message.num_choices <= self._settings.max_running:
            raise BadRequest(
                f"Invalid value for 'n': expected 1 to {self._settings.max_running}, which this "
                f"model writes at the same time, got {message.num_choices}.",
                param="n",
            )
        if message.max_tokens is not None and message.max_tokens < 1:
            raise BadRequest(
                f"Invalid value for 'max_tokens': expected at least 1, got {message.max_tokens}.",
                param="max_tokens",
            )
        prompt = self._prompts.encode(message)
        return Request(
            key=key,
            reply=reply,
            request_id=message.request_id,
            first=self._make_choice(message, prompt),
            arrived_s=now_s,
            max_queue_s=message.max_queue_s,
            prompt_text=self._vocabulary.text(prompt.token_ids) if message.wants_prompt else "",
        )

    def count(self, message: Count) -> Counted:
        """Return how long a prompt is; takes as long as reading it.

        Raises:
            BadRequest: The template cannot express the messages.
        """
        return Counted(message.request_id, self._prompts.count(message.ask))

    def _make_choice(self, message: Generate, prompt: Prompt) -> Choice:
        sequence = self._make_sequence(message, prompt.token_ids)
        sampling = _sampling(message, len(self._vocabulary.bytes))
        predicted = self._prompts.tokenizer.encode_text(message.prediction or "")
        return Choice(
            message.request_id,
            0,
            sequence,
            sampling,
            History(sequence.token_ids) if sampling.has_penalties else None,
            self._make_text(message, prompt.rendered),
            self._vocabulary.bytes,
            self._vocabulary.ends,
            lambda: Drafter(sequence.token_ids[: sequence.num_prompt], predicted),
            min_tokens=message.min_tokens,
            matcher=self._make_matcher(message, prompt.rendered),
            tells_tokens=message.wants_tokens,
        )

    def _make_sequence(self, message: Generate, token_ids: list[int]) -> Sequence:
        limit = self._prompts.most_tokens
        if message.max_tokens is not None:
            limit = min(limit, len(token_ids) + message.max_tokens)
        asks_exact = message.is_exact or message.seed is not None or message.prediction is not None
        return Sequence(
            token_ids,
            limit,
            tenant=message.tenant,
            cache_key=message.cache_key,
            priority=message.priority,
            is_exact=self._settings.batch_invariant or asks_exact,
            num_choices=message.num_choices,
        )

    def _make_text(self, message: Generate, rendered: str) -> AnswerText:
        vocabulary = self._vocabulary
        parser, hidden = None, vocabulary.hidden | vocabulary.ends
        if rendered:
            parser = self._family.parser(
                offered_tools(message),
                prompt=rendered,
                parses_reasoning=message.parses_reasoning,
            )
        hidden -= vocabulary.parsed - (vocabulary.ends if parser is None else frozenset())
        return AnswerText(
            Detokenizer(vocabulary.bytes, hidden),
            StopScanner(message.stop),
            parser,
            self._new_call_id,
        )

    def _make_matcher(self, message: Generate, rendered: str) -> Matcher | None:
        begun_by = after = ""
        if rendered:
            begun_by = self._family.reasoning_begin(rendered)
            after = self._family.reasoning_end(rendered)
        return self._grammars.compile(
            message.form, message.tool_use, after=after, begun_by=begun_by
        )

    def _new_call_id(self) -> str:
        """Return an id that the model's own template takes back."""
        if (num_letters := self._family.call_id_letters) is not None:
            return "".join(secrets.choice(_LETTERS) for _ in range(num_letters))
        return f"call_{secrets.token_hex(_ID_BYTES)}"


@dataclass(frozen=True, slots=True)
class LoadedEmbedder:
    """Everything that one model needs to make vectors."""

    ready: Ready
    _embedder: Embedder

    def embed(self, message: Embed) -> Embedded:
        """Turn texts into vectors; one thread at a time.

        Raises:
            BadRequest: An input is empty or no token id, or there are not so many dimensions.
            ContextTooLong: An input is longer than the model's context.
        """
        made = self._embedder.embed(message.inputs, message.dimensions)
        return Embedded(
            request_id=message.request_id,
            vectors=made.vectors.astype("<f4", copy=False).tobytes(),
            dimensions=made.vectors.shape[1],
            prompt_tokens=made.num_tokens,
        )


def _sampling(message: Generate, num_ids: int) -> Sampling:
    ids = [token_id for token_id, _ in message.logit_bias]
    for token_id in ids:
        if not 0 <= token_id < num_ids:
            raise BadRequest(
                f"Invalid value for 'logit_bias': {token_id} is no token of this model, whose ids "
                f"end at {num_ids - 1}.",
                param="logit_bias",
            )
    if len(set(ids)) < len(ids):
        raise BadRequest("Invalid value for 'logit_bias': a token comes twice.", param="logit_bias")
    return Sampling(
        message.temperature,
        message.top_p,
        message.seed if message.seed is not None else int.from_bytes(os.urandom(8), "big"),
        top_k=message.top_k,
        min_p=message.min_p,
        frequency_penalty=message.frequency_penalty,
        presence_penalty=message.presence_penalty,
        repetition_penalty=message.repetition_penalty,
        logit_bias=message.logit_bias,
        num_logprobs=message.num_logprobs,
    )
