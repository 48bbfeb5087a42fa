"""The first requests of agents, as tests/flows replays them: the shape kept, the words left out.

Texts are their makers', so only how long they were is kept; ids and paths are this machine's.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from scripts.agents.tap import Asked

FOLDER: Final = Path(__file__).parents[2] / "tests" / "flows" / "agents"
_MAX_CHARS: Final = 60
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"\b[0-9a-f]{32,}\b")
_NO_ONE: Final = "00000000-0000-4000-8000-000000000000"
_KEPT_HEADERS: Final = re.compile(
    r"anthropic-(version|beta|dangerous-.*)|user-agent|x-app|originator|accept|content-type"
    r"|x-openai-internal-.*|x-codex-beta-features|x-stainless-(lang|retry-count|timeout)"
)
# Words that the gateway looks for.
_READ: Final = ("x-anthropic-billing-header:",)


def record(name: str, asked: Asked) -> Path:
    """Write one request as a fixture; return where."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    headers = {n: v for n, v in asked.asked_headers.items() if _KEPT_HEADERS.fullmatch(n)}
    said = {
        "path": asked.path,
        "headers": headers,
        "body": _trimmed(json.loads(asked.body)),
    }
    path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    return path


def _trimmed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _trimmed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_trimmed(inner) for inner in value]
    return _trimmed_text(value) if isinstance(value, str) else value


def _trimmed_text(text: str) -> str:
    plain = _HEX.sub("0" * 32, _UUID.sub(_NO_ONE, text))
    if plain.startswith("{") and plain.endswith("}"):
        return json.dumps(_trimmed(json.loads(plain)))
    if len(plain) <= _MAX_CHARS and " " not in plain.strip():
        return plain
    start = next((word for word in _READ if plain.startswith(word)), "")
    return f"{start} (a text of {len(text):,} characters)".strip()
