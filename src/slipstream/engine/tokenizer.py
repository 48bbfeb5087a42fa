"""Text to token ids with the model's own OpenVINO tokenizer.

Two forms of it are compiled: one that recognises control tokens such as `<|im_start|>`, and one
that reads them as ordinary letters, for the pieces of a prompt in which a user spelled one.
The way back, for streams, is in detokenizer.py.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

# The one place where the native runtime is imported: only the child process imports this module.
import openvino as ov
import openvino_tokenizers  # noqa: F401 -- teaches every later Core the tokenizer's operations
from openvino import opset13 as ops

from slipstream.engine.template import Guard
from slipstream.errors import LoadFailed

_NEVER: Final = b"(?!)"  # a pattern without a match
_NO_LIMIT: Final = 2**31 - 1


class Tokenizer:
    """One model's tokenizer. One thread at a time."""

    def __init__(
        self, model_file: Path, *, guard: Guard, control_ids: Mapping[str, int], bos_id: int | None
    ) -> None:
        """Compile both forms.

        Args:
            control_ids: The text of each control token and its id.

        Raises:
            LoadFailed: The file is no tokenizer.
        """
        try:
            self._full, self._plain = _compile(model_file)
        except RuntimeError as exc:  # what OpenVINO raises, whatever the reason
            raise LoadFailed(f"{model_file}: {exc}") from exc
        self._guard, self._bos_id = guard, bos_id
        self._control_ids = dict(control_ids)
        longest_first = sorted(control_ids, key=len, reverse=True)
        self._control_pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._prepends_bos = bos_id is not None and _run(self._full, "a")[:1] == [bos_id]

    def twin(self) -> "Tokenizer":
        """Return the same for another thread; it shares the tables."""
        other = copy.copy(self)
        other._full = self._full.get_compiled_model().create_infer_request()
        other._plain = self._plain.get_compiled_model().create_infer_request()
        return other

    def encode_prompt(self, rendered: str) -> list[int]:
        """Return the ids of a prompt that `ChatTemplate.render` made."""
        if self._guard.has_marks(rendered):
            ids = list(self._encode_marked(rendered))
        else:
            ids = _run(self._full, rendered)
        if self._prepends_bos and ids[:2] == [self._bos_id] * 2:  # the template wrote it too
            del ids[0]
        return ids

    def encode_text(self, text: str) -> list[int]:
        """Return the ids of a text that goes on: nothing before it, and no control tokens in it."""
        ids = _run(self._plain, text) if text else []
        return ids[1:] if self._prepends_bos else ids

    def _encode_marked(self, rendered: str) -> Iterator[int]:
        """Split at real control tokens ourselves; what lies between is text, marks and all."""
        if self._prepends_bos and self._bos_id is not None:
            yield self._bos_id
        start = 0
        for found in self._control_pattern.finditer(rendered):
            yield from self._encode_text(rendered[start : found.start()])
            yield self._control_ids[found[0]]
            start = found.end()
        yield from self._encode_text(rendered[start:])

    def _encode_text(self, text: str) -> list[int]:
        form = self._plain if self._guard.has_marks(text) else self._full
        ids = _run(form, self._guard.restore(text)) if text else []
        return ids[1:] if self._prepends_bos else ids


def _run(request: Any, text: str) -> list[int]:
    # NumPy drops NUL characters at the very end; a rendered prompt never ends with one.
    request.infer([np.array([text])])
    ids: list[int] = request.get_output_tensor(0).data[0].tolist()  # (1, tokens) int64
    return ids


def _compile(model_file: Path) -> tuple[Any, Any]:
    core = ov.Core()
    properties = {"INFERENCE_NUM_THREADS": 1}
    model = core.read_model(model_file)
    _lift_truncation(model)
    full = core.compile_model(model, "CPU", properties).create_infer_request()
    _forget_control_tokens(model)
    plain = core.compile_model(model, "CPU", properties).create_infer_request()
    return full, plain


def _lift_truncation(model: Any) -> None:
    """Stop the tokenizer from cutting long prompts silently: the engine refuses them by name."""
    for node in model.get_ops():
        if node.get_type_name() == "Minimum":
            limit = node.input_value(1)
            most = ops.constant(np.array(_NO_LIMIT, limit.get_element_type().to_dtype()))
            if limit.get_node().get_type_name() == "Constant":
                node.input(1).replace_source_output(most.output(0))
    model.validate_nodes_and_infer_types()


def _forget_control_tokens(model: Any) -> None:
    never = ops.constant(np.frombuffer(_NEVER, np.uint8))
    for node in model.get_ops():
        if node.get_type_name() == "SpecialTokensSplit":
            node.input(node.get_input_size() - 1).replace_source_output(never.output(0))
    model.validate_nodes_and_infer_types()
