"""Keys that come and go while the gateway serves; fields that a provider does not take."""

import asyncio
import json
import time
from contextlib import closing
from pathlib import Path

from slipstream.app import running
from slipstream.config import load
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_key, revoke_key
from slipstream.upstream.scripted.server import scripted_upstream
from tests.flows.conftest import House
from tests.flows.raw import ask, encode

CHAT = "/v1/chat/completions"


def chat(model: str = "lab/any", **fields: object) -> bytes:
    """Encode a chat request's body."""
    messages = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": model, "messages": messages, **fields}).encode()


async def until_status(house: House, key: str, status: int) -> float:
    """Wait until a key is answered with this status; return how long it took."""
    began_s = time.monotonic()
    async with asyncio.timeout(15):
        while (await ask(house.url, encode("POST", CHAT, key, chat()))).status != status:
            await asyncio.sleep(0.05)
    return time.monotonic() - began_s


async def test_keys_made_and_revoked_while_serving_count_within_a_moment(house: House) -> None:
    """No restart is needed, and no other key is disturbed."""
    with closing(open_store(sqlite_url(house.home))) as store:
        record, key = create_key(store, "second", time.time_ns())
        made_s = await until_status(house, key, 200)
        revoke_key(store, record.key_id, time.time_ns())
        revoked_s = await until_status(house, key, 401)

    assert (await ask(house.url, encode("POST", CHAT, house.key, chat()))).status == 200
    print(f"a key counted after {made_s:.2f} s, its end after {revoked_s:.2f} s")


async def test_field_that_a_provider_refuses_is_left_out_and_named(tmp_path: Path) -> None:
    """Mistral answers 422 to `stream_options`: it does not get it, and the answer says so."""
    async with scripted_upstream() as upstream:
        path = tmp_path / "slipstream.toml"
        path.write_text(
            '[server]\nport = 0\nlog = "off"\n[models]\n'
            f'[providers.mistral]\napi_key = "k"\nbase_url = "{upstream.base_url}"\n'
        )
        async with running(load(path, {"SLIPSTREAM_HOME": str(tmp_path / "home")})) as gateway:
            key = gateway.first_key
            options = {"include_usage": True}
            body = chat("mistral/m", stream=True, stream_options=options)
            dropped = await ask(gateway.url, encode("POST", CHAT, key, body))
            body = chat("mistral/m", stream=True)
            ordinary = await ask(gateway.url, encode("POST", CHAT, key, body))

    assert dropped.headers["x-slipstream-changed"] == "stream_options"
    assert "x-slipstream-changed" not in ordinary.headers
    for seen in upstream.log:
        assert "stream_options" not in json.loads(seen.body)
