"""Writes OpenVINO's tokenizer and detokenizer of a GGUF with a byte-pair vocabulary; child only.

OpenVINO's own reader of GGUF knows two ways of splitting text, fails on control tokens that are
not ASCII, hides added tokens (`<think>`) from answers, and takes 1.6 s; hence this.
"""

from pathlib import Path
from typing import Any

import openvino
from openvino_tokenizers import tokenizer_pipeline as steps
from openvino_tokenizers.utils import change_inputs_type, change_outputs_type

from slipstream.engine.weights.gguf_file import GgufHead
from slipstream.engine.weights.gguf_rules import split_patterns, whole_tokens
from slipstream.engine.weights.manifest import DETOKENIZER_FILE, TOKENIZER_FILE, TokenTable
from slipstream.engine.weights.tokens import byte_pair_bytes


def write_tokenizers(head: GgufHead, table: TokenTable, folder: Path) -> None:
    """Write both models into a folder."""
    pipeline = steps.TokenizerPipeline(vocab=list(table.bytes))
    pipeline.add_steps(
        [
            steps.SpecialTokensSplit([steps.SpecialToken(t) for t in whole_tokens(head)]),
            *(
                steps.RegexSplitStep(pattern, behaviour="isolate", mergeable=False)
                for pattern in split_patterns(head)
            ),
            steps.BPETokenizationStep(
                vocab=list(table.bytes),
                merges=_merges(head),
                fuse_unk=True,
                byte_fallback=True,
                cache_capacity=max(20_000, len(table.bytes) // 5),
            ),
            steps.PaddingStep(_token_id=head.number("tokenizer.ggml.padding_token_id") or 0),
            steps.VocabDecoderStep(list(table.bytes), list(table.special)),
            steps.FuseStep(),
            steps.UTF8ValidateStep(),
        ]
    )
    tokenizer = pipeline.get_tokenizer_ov_subgraph()
    detokenizer = pipeline.get_detokenizer_ov_subgraph()
    change_outputs_type(tokenizer, openvino.Type.i64)
    change_inputs_type(detokenizer, openvino.Type.i64)
    for model, name in ((tokenizer, TOKENIZER_FILE), (detokenizer, DETOKENIZER_FILE)):
        _describe(model, head)
        openvino.save_model(model, folder / name, compress_to_fp16=False)


def _merges(head: GgufHead) -> list[tuple[bytes, bytes]]:
    pairs = (merge.split(" ", 1) for merge in head.column("tokenizer.ggml.merges", str))
    return [(byte_pair_bytes(pair[0]), byte_pair_bytes(pair[-1])) for pair in pairs]


def _describe(model: Any, head: GgufHead) -> None:
    """Note what OpenVINO's own pipelines look for in a tokenizer."""
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        token_id = head.number(f"tokenizer.ggml.{key}_token_id")
        if token_id is not None:
            model.set_rt_info(token_id, f"{name}_token_id")
    template = head.text("tokenizer.chat_template")
    if template is not None:
        model.set_rt_info(template, "chat_template")
