"""Tests of slipstream.kept: what it does at the start, and who makes conversations shorter."""

from pathlib import Path
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Frames
from slipstream.choice import Deadlines, Plan, Target
from slipstream.config import load
from slipstream.kept import KeptResponses
from slipstream.responses import rows
from slipstream.server.inside import Told
from slipstream.wire.glances import scan_compaction
from tests.responses.place import DAY_NS, answer, database_in, url_in

CONFIG = """
[responses]
keep_days = 2
[providers.openai]
api_key = "x"
[providers.xai]
api_key = "x"
[providers.mine]
base_url = "http://127.0.0.1:1/v1"
like = "openai"
api_key = "x"
"""


async def refuse(body: bytes, key_id: str) -> Told:
    """Answer what nobody asks here."""
    raise AssertionError


def kept_in(folder: Path) -> KeptResponses:
    """Return all about kept answers, with a database in a folder."""
    path = folder / "slipstream.toml"
    path.write_text(CONFIG)
    config = load(path, {"SLIPSTREAM_HOME": str(folder)})
    return KeptResponses(config, url_in(folder), refuse)


async def test_start_forgets_what_was_kept_long_enough(tmp_path: Path) -> None:
    """Also where no answer is asked for any more; what is younger stays."""
    kept = kept_in(tmp_path)
    now_ns = kept._archive.now_ns()
    with database_in(tmp_path) as store:
        rows.insert(store, answer("old", created_at_ns=now_ns - 3 * DAY_NS), ())
        rows.insert(store, answer("young", created_at_ns=now_ns - DAY_NS), ())
        kept.start()
        await kept.stop()
        left = store.execute("SELECT response_id FROM responses")
    assert left == [("young",)]


@pytest.mark.parametrize(
    ("providers", "dialect"),
    [
        (["openai"], Dialect.OPENAI_COMPACTION),
        (["openai", "openai"], Dialect.OPENAI_COMPACTION),
        (["mine"], Dialect.OPENAI_COMPACTION),
        (["openai", "mine"], Dialect.OPENAI_RESPONSES),
        (["xai"], Dialect.OPENAI_RESPONSES),
        (["local"], Dialect.OPENAI_RESPONSES),
        (["local", "openai"], Dialect.OPENAI_RESPONSES),
    ],
)
async def test_conversation_is_made_shorter_by_who_can(
    tmp_path: Path, providers: list[str], dialect: Dialect
) -> None:
    """Where every target is at one provider that does it; else a summary is asked for."""
    asked: list[Call] = []

    async def serve(call: Call) -> Frames:
        asked.append(call)
        for _ in ():
            yield _

    plan = Plan(
        route="r",
        strategy="ordered",
        targets=tuple(Target(name, "m") for name in providers),
        deadlines=Deadlines(),
        max_attempts=1,
    )
    body = b'{"model":"m","input":"x"}'
    call = Call(
        call_id="c",
        dialect=Dialect.OPENAI_COMPACTION,
        body=body,
        model="m",
        key_id="k",
        asked=scan_compaction(body).asked,
    )
    layer = kept_in(tmp_path).around(serve, lambda call: plan)
    assert [frame async for frame in layer(call)] == []
    assert [call.dialect for call in asked] == [dialect]


def test_other_dialects_pass_by(tmp_path: Path) -> None:
    """What answers them is what there was."""

    def serve(call: Call) -> Any:
        return "the same"

    call = Call(call_id="c", dialect=Dialect.OPENAI_CHAT, body=b"{}", model="m", key_id="k")
    answered: Any = kept_in(tmp_path).around(serve, lambda call: None)(call)  # type: ignore[arg-type, return-value]
    assert answered == "the same"
