"""A tiny made-up embeddings model, prepared as `slipstream pull FOLDER` prepares a real one."""

import json
import shutil
from pathlib import Path

import openvino as ov

from slipstream.engine.weights.manifest import MODEL_FILE
from slipstream.engine.weights.pull import pull
from tests.engine.test_embedder import CONTEXT, SIZE, encoder_model
from tests.prepared_model import prepared_directory

NAME = "tiny-encoder"
DIMENSIONS, CONTEXT_TOKENS = SIZE, CONTEXT


def pull_encoder(home: Path) -> Path:
    """Export the encoder, with the real model's tokenizer, and pull it; return its directory."""
    source = home / "exported"
    source.mkdir(parents=True)
    ov.save_model(encoder_model(), source / MODEL_FILE, compress_to_fp16=False)
    for ending in ("xml", "bin"):
        shutil.copy(prepared_directory() / f"openvino_tokenizer.{ending}", source)
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "max_position_embeddings": CONTEXT,
    }
    (source / "config.json").write_text(json.dumps(config))
    pull(str(source), home, name=NAME)
    return home / "models" / NAME
