"""Asks the adaptation to Cerebras for one body, and what the strict reader says of the result."""

import json
from typing import Any

from slipstream.wire.cerebras.models import MODELS, CerebrasModel, row_for
from slipstream.wire.cerebras.outbound import Adapted, adapt_chat
from slipstream.wire.cerebras.request import read_cerebras_request

HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
MODEL = "gpt-oss-120b"
SEEING = "qwen-3.8-27b"


def said(**fields: Any) -> dict[str, Any]:
    """Return an OpenAI body of one message and these fields."""
    return {"model": "cerebras/any", "messages": HI} | fields


def asked(body: dict[str, Any], model: str = MODEL, *, relaxes: bool = False) -> Adapted:
    """Adapt a body."""
    return adapt_chat(
        json.dumps(body).encode(), model=model, row=MODELS.get(model), relaxes=relaxes
    )


def adapted(
    body: dict[str, Any], model: str = MODEL, *, relaxes: bool = False
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Adapt a body which must then be one that Cerebras accepts; return it and the changes."""
    done = asked(body, model, relaxes=relaxes)
    must_read(done.body, MODELS.get(model) or row_for(model))
    fields: dict[str, Any] = json.loads(done.body)
    assert fields.pop("model") == model
    return fields, done.changes


def must_read(body: bytes, row: CerebrasModel) -> None:
    """Read a body by the strict reader, which raises if Cerebras would refuse it."""
    read_cerebras_request(body, lambda _: row)
