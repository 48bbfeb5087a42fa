"""A gateway in this process with routes over several scripted providers of different dialects."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from openai import AsyncOpenAI

from bench.failover.asking import WAYS, Client, Told
from bench.failover.house import KINDS
from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

DEADLINES = "[deadlines]\nconnect_s = 2.0\nfirst_token_s = 20.0\nidle_s = 20.0\n"
HELLO = "three small words"


@dataclass(frozen=True)
class RoutingHouse:
    """A running gateway and the providers behind it, by name."""

    url: str
    key: str
    home: Path
    upstreams: Mapping[str, ScriptedUpstream]
    targets: Mapping[str, str]  # by provider, as routes name them

    def client(self, **options: object) -> AsyncOpenAI:
        """Return an SDK client of this gateway that does not retry by itself."""
        settings: dict[str, object] = {"api_key": self.key, "max_retries": 0, "timeout": 60.0}
        return AsyncOpenAI(base_url=f"{self.url}/v1", **{**settings, **options})  # type: ignore[arg-type]

    async def ask(
        self,
        model: str,
        text: str = HELLO,
        *,
        way: str = "chat",
        is_stream: bool = False,
        more: Mapping[str, object] | None = None,
    ) -> Told:
        """Ask on a connection of its own for a text to be said again."""
        client = Client(self.url, self.key)
        try:
            return await client.ask(WAYS[way], model, text, is_stream=is_stream, more=more or {})
        finally:
            await client.close()

    def num_asked(self, name: str) -> int:
        """Count the requests for answers that a provider got."""
        return sum(row.method == "POST" for row in self.upstreams[name].log)


def provider_table(name: str, kind: str, origin: str, more: str = "") -> str:
    """Return the table of a provider that a scripted upstream plays."""
    row = KINDS[kind]
    key = "" if "api_key" in more else f'api_key = "sk-{name}"\n'
    return (
        f'[providers.{name}]\nlike = "{row.like}"\nbase_url = "{origin}{row.path}"\n{key}{more}\n'
    )


@asynccontextmanager
async def routing_house(
    folder: Path,
    kinds: Mapping[str, str],
    config: str,
    *,
    more: Mapping[str, str] | None = None,
    models: str = "\n[models]\n",
) -> AsyncIterator[RoutingHouse]:
    """Run a gateway with a scripted provider of a kind for each name.

    Args:
        config: Routes and whatever else; `{NAME}` stands for a provider's target.
        more: Lines of a provider's own table, by its name.
        models: Tables of the models that run here.
    """
    async with AsyncExitStack() as stack:
        upstreams = {name: await stack.enter_async_context(scripted_upstream()) for name in kinds}
        targets = {name: f"{name}/{KINDS[kind].model}" for name, kind in kinds.items()}
        tables = [
            provider_table(name, kind, upstreams[name].origin, (more or {}).get(name, ""))
            for name, kind in kinds.items()
        ]
        for name, target in targets.items():
            config = config.replace("{" + name + "}", f'"{target}"')
        if "[deadlines]" not in config:
            tables.append(DEADLINES)
        path = folder / "slipstream.toml"
        path.write_text("\n".join(['[server]\nport = 0\nlog = "off"', *tables, config, models]))
        home = folder / "home"
        home.mkdir(exist_ok=True)
        gateway = await stack.enter_async_context(
            running(load(path, {"SLIPSTREAM_HOME": str(home)}))
        )
        assert gateway.first_key is not None
        yield RoutingHouse(gateway.url, gateway.first_key, home, upstreams, targets)
