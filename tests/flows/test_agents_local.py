"""First requests of Claude Code and Codex, as recorded, answered by the embedded model."""

import json
from pathlib import Path
from typing import Any

from slipstream.wire.sse import EventSplitter
from tests.flows.local_house import local_house
from tests.flows.raw import ask, encode
from tests.prepared_model import MODEL

FOLDER = Path(__file__).with_name("agents")
LIMIT_S = 120.0  # each is some thousand tokens to read
# Of each recording, the limit of its answer, how the stream then ends, and what is left out.
ROWS: dict[str, tuple[dict[str, int], str, set[str]]] = {
    "claude_known": ({"max_tokens": 8}, "message_stop", {"context_management"}),
    "codex_functions": (
        {"max_output_tokens": 8},
        "response.incomplete",
        {"tools -> without web_search"},
    ),
}


async def test_first_requests_of_agents_are_answered(tmp_path: Path) -> None:
    """All tools are read into the prompt; what no model here can do is named, not refused."""
    async with local_house(tmp_path) as (client, _):
        url = str(client.base_url).removesuffix("/v1/")
        for name, (limit, end, left_out) in ROWS.items():
            said: Any = json.loads((FOLDER / f"{name}.json").read_text())
            body = json.dumps(said["body"] | {"model": MODEL, "temperature": 0} | limit).encode()
            data = encode("POST", said["path"], client.api_key, body)
            answer = await ask(url, data, timeout_s=LIMIT_S)
            assert answer.status == 200, answer.body
            blocks = EventSplitter().feed(answer.body)
            events = [json.loads(block.split(b"data: ", 1)[1]) for block in blocks]
            assert events[-1]["type"] == end
            assert any(event["type"].endswith("delta") for event in events)
            named = set(answer.headers["x-slipstream-changed"].split(", "))
            assert left_out <= named
            assert "tools" not in named
