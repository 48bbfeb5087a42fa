"""A prepared model directory, loaded: from the messages of a request to what the engine runs.

Reads what `engine/weights` wrote. `encode` belongs to one thread, everything else is read-only.
"""

import hashlib
import os
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import msgspec

# The one place where the native runtime is imported: only the child process imports this module.
import openvino

from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool, blocks_for
from slipstream.engine.protocol import Generate, Ready
from slipstream.engine.request import Request, Vocabulary
from slipstream.engine.runner import PagedRunner
from slipstream.engine.sampler import Sampling
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.sequence import Chunk, Sequence, Step
from slipstream.engine.settings import EngineSettings
from slipstream.engine.stops import StopScanner
from slipstream.engine.template import ChatTemplate, Guard
from slipstream.engine.tokenizer import Tokenizer
from slipstream.engine.weights.manifest import (
    MODEL_FILE,
    TEMPLATE_FILE,
    TOKENIZER_FILE,
    ModelFacts,
    TokenTable,
    read_facts,
    read_tokens,
)
from slipstream.errors import BadRequest, ContextTooLong, LoadFailed, OutOfBlocks


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """Everything that one model needs to answer."""

    ready: Ready
    runner: PagedRunner
    pool: BlockPool
    scheduler: Scheduler
    _template: ChatTemplate | None
    _tokenizer: Tokenizer
    _vocabulary: Vocabulary

    def encode(self, message: Generate) -> list[int]:
        """Return the prompt's tokens.

        Raises:
            BadRequest: The model's template cannot express the messages.
            ContextTooLong: No room is left for an answer.
            OutOfBlocks: The cache is smaller than this prompt.
        """
        if self._template is None:
            raise BadRequest("This model has no chat template.", param="messages")
        token_ids = self._tokenizer.encode_prompt(
            self._template.render([msgspec.to_builtins(m) for m in message.messages])
        )
        if not token_ids:
            raise BadRequest("The prompt is empty.", param="messages")
        context_tokens, cache_tokens = self.ready.context_tokens, self.ready.cache_tokens
        if len(token_ids) >= context_tokens:
            raise ContextTooLong(
                f"This model's context is {context_tokens} tokens and the messages have "
                f"{len(token_ids)}, which leaves no room for an answer."
            )
        if len(token_ids) >= cache_tokens:
            raise OutOfBlocks(
                f"the messages have {len(token_ids)} tokens and the engine's cache holds "
                f"{cache_tokens}; a larger kv_cache_bytes would hold them"
            )
        return token_ids

    def make_request(
        self, message: Generate, token_ids: list[int], *, key: Hashable, reply: object, now_s: float
    ) -> Request:
        """Return the request for a prompt that `encode` made."""
        limit = min(self.ready.context_tokens, self.ready.cache_tokens)
        if message.max_tokens is not None:
            limit = min(limit, len(token_ids) + message.max_tokens)
        seed = message.seed if message.seed is not None else int.from_bytes(os.urandom(8), "big")
        return Request(
            key=key,
            reply=reply,
            request_id=message.request_id,
            sequence=Sequence(token_ids, limit),
            sampling=Sampling(message.temperature, message.top_p, seed),
            stops=StopScanner(message.stop),
            vocabulary=self._vocabulary,
            arrived_s=now_s,
        )


def load_model(directory: Path, settings: EngineSettings) -> LoadedModel:
    """Load, compile and warm up a prepared model.

    Raises:
        LoadFailed: Something in the directory is missing or cannot be used.
    """
    began_s = time.monotonic()
    facts, table = read_facts(directory), read_tokens(directory)
    control_ids = {_text(table, token_id): token_id for token_id in table.special}
    guard = Guard(control_ids)
    tokenizer = Tokenizer(
        directory / TOKENIZER_FILE, guard=guard, control_ids=control_ids, bos_id=facts.bos_token_id
    )
    template = _read_template(directory / TEMPLATE_FILE, facts, table, guard)
    runner = PagedRunner(directory / MODEL_FILE, settings)
    _warm_up(runner)
    pool = BlockPool(runner.num_blocks)
    limits = Limits(
        settings.max_running,
        settings.max_queued,
        settings.max_batch_tokens,
        settings.mixed_prompt_tokens,
    )
    return LoadedModel(
        ready=Ready(
            model=facts.name,
            fingerprint=_fingerprint(facts, runner),
            context_tokens=facts.context_tokens,
            cache_tokens=pool.num_blocks * BLOCK_TOKENS,
            num_threads=runner.num_threads,
            precision=runner.precision,
            load_s=time.monotonic() - began_s,
        ),
        runner=runner,
        pool=pool,
        scheduler=Scheduler(pool, limits),
        _template=template,
        _tokenizer=tokenizer,
        _vocabulary=Vocabulary(
            table.bytes, frozenset(table.special), frozenset(facts.eos_token_ids)
        ),
    )


def _read_template(
    file: Path, facts: ModelFacts, table: TokenTable, guard: Guard
) -> ChatTemplate | None:
    if not file.exists():
        return None
    tokens = {"eos_token": _text(table, facts.eos_token_ids[0])} if facts.eos_token_ids else {}
    if facts.bos_token_id is not None:
        tokens["bos_token"] = _text(table, facts.bos_token_id)
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise LoadFailed(f"{file}: {exc}") from exc
    return ChatTemplate(source, guard=guard, tokens=tokens)


def _text(table: TokenTable, token_id: int) -> str:
    return table.bytes[token_id].decode("utf-8", errors="replace")


def _warm_up(runner: PagedRunner) -> None:
    """Compute a prompt and a token, so that no request pays for the kernels' first use."""
    sequence = Sequence([0] * (BLOCK_TOKENS + 1), BLOCK_TOKENS + 2)
    sequence.block_ids = list(range(blocks_for(len(sequence.token_ids))))
    runner.run(Step((Chunk(sequence, 0, BLOCK_TOKENS, 1),)))
    runner.run(Step((Chunk(sequence, BLOCK_TOKENS, BLOCK_TOKENS + 1, 1),)))


def _fingerprint(facts: ModelFacts, runner: PagedRunner) -> str:
    said = (facts.source_sha256, facts.weights_format, runner.precision, openvino.__version__)
    return "fp_" + hashlib.sha256("\0".join(said).encode()).hexdigest()[:12]
