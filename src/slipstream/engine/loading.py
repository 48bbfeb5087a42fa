"""Loads a prepared model directory, as `engine/weights` wrote it."""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

# The one place where the native runtime is imported: only the child process imports this module.
import openvino

from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool
from slipstream.engine.embedder import load_embedder
from slipstream.engine.families import GENERIC, find_family
from slipstream.engine.grammar_tokens import GrammarTokens
from slipstream.engine.grammars import Grammars
from slipstream.engine.measures import load_runner
from slipstream.engine.model import LoadedEmbedder, LoadedModel, Vocabulary
from slipstream.engine.pace import StepCosts
from slipstream.engine.prompt import Prompts
from slipstream.engine.protocol import Ready
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.settings import EngineSettings
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
from slipstream.errors import LoadFailed

_FORCED_TOKENS: Final = 32  # longer texts that a grammar forces are read like prompts


def load_model(directory: Path, settings: EngineSettings) -> LoadedModel | LoadedEmbedder:
    """Load, compile, measure and warm up a prepared model.

    Raises:
        LoadFailed: Something in the directory is missing or cannot be used.
    """
    began_s = time.monotonic()
    facts = read_facts(directory)
    if facts.kind == "embeddings":
        return _load_embedder(directory, facts, settings, began_s)
    table = read_tokens(directory)
    control_ids = {_text(table, token_id): token_id for token_id in table.special}
    guard = Guard(control_ids)
    tokenizer = Tokenizer(
        directory / TOKENIZER_FILE, guard=guard, control_ids=control_ids, bos_id=facts.bos_token_id
    )
    template = _read_template(directory, facts, settings, table, guard)
    family = template.family if template is not None else GENERIC
    runner, measured = load_runner(directory / MODEL_FILE, settings)
    pool = BlockPool(runner.num_blocks, ttl_s=settings.prefix_ttl_s)
    cache_tokens = pool.num_blocks * BLOCK_TOKENS
    ends = frozenset(facts.eos_token_ids)
    grammar_tokens = GrammarTokens(
        table,
        end_ids=facts.eos_token_ids,
        encode=_shared_encode(tokenizer.twin()),
        num_logits=runner.num_logits,
    )
    ready = Ready(
        model=facts.name,
        fingerprint=_fingerprint(facts, runner.precision, _own_template(settings)),
        context_tokens=facts.context_tokens,
        cache_tokens=cache_tokens,
        num_threads=runner.num_threads,
        precision=runner.precision,
        load_s=time.monotonic() - began_s,
        family=family.name,
        reasons=family.reasons,
        is_invariant=measured.is_invariant,
    )
    return LoadedModel(
        ready=ready,
        runner=runner,
        pool=pool,
        scheduler=Scheduler(pool, _limits(settings)),
        costs=StepCosts(measured.costs),
        _settings=settings,
        _prompts=Prompts(tokenizer, template, facts.context_tokens, cache_tokens, len(table.bytes)),
        _grammars=Grammars(grammar_tokens, family.tool_format),
        _family=family,
        _vocabulary=Vocabulary(
            table.bytes, ends, frozenset(table.special), family.shown_ids(control_ids)
        ),
    )


def _load_embedder(
    directory: Path, facts: ModelFacts, settings: EngineSettings, began_s: float
) -> LoadedEmbedder:
    embedder = load_embedder(directory, settings)
    ready = Ready(
        model=facts.name,
        fingerprint=_fingerprint(facts, embedder.precision),
        context_tokens=embedder.context_tokens,
        cache_tokens=0,
        num_threads=embedder.num_threads,
        precision=embedder.precision,
        load_s=time.monotonic() - began_s,
        kind="embeddings",
        dimensions=embedder.dimensions,
    )
    return LoadedEmbedder(ready, embedder)


def _limits(settings: EngineSettings) -> Limits:
    return Limits(
        settings.max_running,
        settings.max_queued,
        settings.max_batch_tokens,
        settings.mixed_prompt_tokens or _FORCED_TOKENS,
    )


def _shared_encode(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """Return its encoding for two threads: grammars are compiled in one and driven in another."""
    lock = threading.Lock()

    def encode(text: str) -> list[int]:
        with lock:
            return tokenizer.encode_text(text)

    return encode


def _read_template(
    directory: Path,
    facts: ModelFacts,
    settings: EngineSettings,
    table: TokenTable,
    guard: Guard,
) -> ChatTemplate | None:
    source = _own_template(settings)
    if source is None:
        file = directory / TEMPLATE_FILE
        if not file.exists():
            return None
        source = _read_text(file)
    tokens = {"eos_token": _text(table, facts.eos_token_ids[0])} if facts.eos_token_ids else {}
    if facts.bos_token_id is not None:
        tokens["bos_token"] = _text(table, facts.bos_token_id)
    family = find_family(source, facts.architecture, settings.family)
    return ChatTemplate(source, guard=guard, tokens=tokens, family=family)


def _own_template(settings: EngineSettings) -> str | None:
    """Return the template that the settings name, in place of the model's."""
    return None if settings.template is None else _read_text(Path(settings.template))


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:  # no such file, no UTF-8, no name of a file
        raise LoadFailed(f"the chat template cannot be read: {exc}") from exc


def _text(table: TokenTable, token_id: int) -> str:
    return table.bytes[token_id].decode("utf-8", errors="replace")


def _fingerprint(facts: ModelFacts, precision: str, template: str | None = None) -> str:
    said = [facts.source_sha256, facts.weights_format, precision, openvino.__version__]
    if template is not None:
        said.append(template)
    return "fp_" + hashlib.sha256("\0".join(said).encode()).hexdigest()[:20]
