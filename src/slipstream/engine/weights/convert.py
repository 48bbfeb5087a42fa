"""The child process that converts one model: `python -m slipstream.engine.weights.convert`.

A process of its own gives the memory back, survives nobody, and keeps a crash in native code
away from the caller. Its standard input is one Job as a line of JSON and then stays open: its
end means that the parent is gone. Its standard output is one `Said` a line.
"""

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import openvino_genai

from slipstream.engine.weights import gguf_rules, openvino_files
from slipstream.engine.weights.conversion import Failure, Job, Progress, Said, Traits
from slipstream.engine.weights.gguf_file import GgufHead, read_head
from slipstream.engine.weights.manifest import (
    TEMPLATE_FILE,
    TOKENS_FILE,
    TokenTable,
)
from slipstream.engine.weights.openvino_folder import Folder, needed_files, read_folder
from slipstream.engine.weights.requantise import plan_rewrite, read_tensor, rewrite, weights_format
from slipstream.engine.weights.tokenizer_files import write_tokenizers
from slipstream.engine.weights.tokens import end_token_ids, gguf_token_table
from slipstream.errors import LoadFailed
from slipstream.process import watch_lifeline

_REWRITTEN = "rewritten.gguf"
_GGML_PACKAGES = ("gguf", "numpy", "openvino-genai")


class _Line:
    """The way back to the parent: one message a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def say(self, said: Said) -> None:
        self._stream.write(msgspec.json.encode(said) + b"\n")
        self._stream.flush()


def main() -> int:
    """Read one job, carry it out, and say what came of it."""
    # Native libraries print warnings on standard output: it is ours alone from here on.
    line = _Line(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    job = msgspec.json.decode(_first_line(), type=Job)
    watch_lifeline(lambda: os._exit(1))
    convert = {"gguf": convert_gguf, "openvino": convert_openvino}[job.kind]
    try:
        line.say(convert(Path(job.source), Path(job.target), line))
    except LoadFailed as exc:
        line.say(Failure(str(exc)))
        return 1
    except (RuntimeError, ValueError, IndexError, OSError) as exc:  # what native code throws
        line.say(Failure(f"{job.label}: {_last_line(exc)}"))
        return 1
    return 0


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and (data := os.read(0, 65536)):
        line += data
    return line


def _last_line(exc: BaseException) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1] if lines else type(exc).__name__


def convert_gguf(source: Path, target: Path, line: _Line) -> Traits:
    """Make OpenVINO files, token table and chat template of a GGUF."""
    head = read_head(source)
    plan = plan_rewrite(head)
    table = gguf_token_table(head)
    rewritten = target / _REWRITTEN
    rewrite(
        source, head, plan, rewritten, lambda done, all_: line.say(Progress("convert", done, all_))
    )
    line.say(Progress("prepare"))
    write_tokenizers(head, table, target)
    (target / TOKENS_FILE).write_bytes(msgspec.msgpack.encode(table))
    template = head.text("tokenizer.chat_template")
    if template is not None:
        (target / TEMPLATE_FILE).write_text(template, encoding="utf-8")
    # This also proves that the model compiles here. What is saved depends on none of these:
    # SDPA spares a second rewriting of the graph, and one thread some CPU, for compiling is serial.
    openvino_genai.LLMPipeline(
        rewritten,
        openvino_genai.Tokenizer(target),
        "CPU",
        enable_save_ov_model=True,
        ATTENTION_BACKEND="SDPA",
        INFERENCE_NUM_THREADS=1,
    )
    rewritten.unlink()
    _scale_positions(head, source, target)
    return _gguf_traits(head, target, table, weights_format(plan))


def _scale_positions(head: GgufHead, source: Path, target: Path) -> None:
    # OpenVINO's reader knows the base of the rotary embedding and nothing more.
    factors = read_tensor(source, head, "rope_freqs.weight")
    stretch = gguf_rules.position_factor(head)
    if factors is None and stretch == 1.0:
        return
    if factors is None:
        factors = np.ones(openvino_files.read_shape(target).head_size // 2, dtype=np.float32)
    openvino_files.scale_positions(target, factors * np.float32(stretch))


def _gguf_traits(head: GgufHead, target: Path, table: TokenTable, form: str) -> Traits:
    shape = openvino_files.read_shape(target)
    keys = ("eos_token_id", "eot_token_id", "eom_token_id")
    named = (head.number(f"tokenizer.ggml.{key}") for key in keys)
    return Traits(
        architecture=head.architecture,
        context_tokens=head.number(f"{head.architecture}.context_length") or 0,
        vocab_size=shape.vocab_size,
        bos_token_id=head.number("tokenizer.ggml.bos_token_id"),
        eos_token_ids=end_token_ids(named, table),
        adds_bos=gguf_rules.adds_bos(head),
        num_layers=shape.num_layers,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        weights_format=form,
        prepared_with=openvino_files.package_versions()
        | {name: version(name) for name in _GGML_PACKAGES},
    )


def convert_openvino(source: Path, target: Path, line: _Line) -> Traits:
    """Copy OpenVINO files and find out what the engine needs to know of them."""
    folder = read_folder(source)
    files = [source / name for name in needed_files(folder.kind)]
    total = sum(file.stat().st_size for file in files)
    done = 0
    for file in files:
        shutil.copyfile(file, target / file.name)
        done += file.stat().st_size
        line.say(Progress("convert", done, total))
    line.say(Progress("prepare"))
    return (_embedding_traits if folder.kind == "embeddings" else _answering_traits)(folder, target)


def _embedding_traits(folder: Folder, target: Path) -> Traits:
    """Find out what an encoder is; it writes no text, and has no cache."""
    encoder = openvino_files.read_encoder(target)
    return Traits(
        architecture=folder.architecture,
        context_tokens=folder.context_tokens,
        vocab_size=encoder.vocab_size,
        bos_token_id=folder.bos_token_id,
        eos_token_ids=(),
        adds_bos=False,
        num_layers=0,
        num_kv_heads=0,
        head_size=0,
        weights_format=encoder.weights_format,
        prepared_with=openvino_files.package_versions(),
        kind=folder.kind,
        pooling=folder.pooling,
        is_normalised=folder.is_normalised,
    )


def _answering_traits(folder: Folder, target: Path) -> Traits:
    if folder.template is not None:
        (target / TEMPLATE_FILE).write_text(folder.template, encoding="utf-8")
    table = openvino_files.read_token_table(target)
    (target / TOKENS_FILE).write_bytes(msgspec.msgpack.encode(table))
    shape = openvino_files.read_shape(target)
    return Traits(
        architecture=folder.architecture,
        context_tokens=folder.context_tokens,
        vocab_size=shape.vocab_size,
        bos_token_id=folder.bos_token_id,
        eos_token_ids=end_token_ids(folder.eos_token_ids, table),
        adds_bos=openvino_files.begins_with(target, folder.bos_token_id),
        num_layers=shape.num_layers,
        num_kv_heads=shape.num_kv_heads,
        head_size=shape.head_size,
        weights_format=shape.weights_format,
        prepared_with=openvino_files.package_versions(),
    )


if __name__ == "__main__":
    # Tearing down native state takes a second, and all that matters is written.
    os._exit(main())
