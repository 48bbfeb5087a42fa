"""`slipstream mock`: runs the scripted upstream for tests of other programs (docs/mock.md)."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from slipstream.errors import GatewayError
from slipstream.upstream.scripted.server import MODELS, scripted_upstream

try:
    from uvloop import new_event_loop
except ImportError:  # not on this platform
    new_event_loop = asyncio.new_event_loop  # type: ignore[assignment]


def run(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8090,
    model: Annotated[
        list[str] | None, typer.Option(help="A model to list; may be repeated.")
    ] = None,
    behaviour: Annotated[
        str, typer.Option(help="What every request gets, e.g. delay=0.2,tokens=50.")
    ] = "",
    log: Annotated[
        Path | None, typer.Option(help="A file to append each request's begin and end to.")
    ] = None,
) -> None:
    """Run a scripted model provider: answers, delays and faults on demand."""
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(host, port, tuple(model or MODELS), behaviour, log))
    except GatewayError as error:
        typer.echo(f"slipstream mock: {error.message}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        what = f"write {error.filename}" if error.filename else f"listen on {host}:{port}"
        typer.echo(f"slipstream mock: cannot {what}: {error.strerror}", err=True)
        raise typer.Exit(1) from error


async def _serve(
    host: str, port: int, models: Sequence[str], behaviour: str, log_path: Path | None
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with scripted_upstream(
        host, port, models=models, behaviour=behaviour, log_path=log_path
    ) as upstream:
        print(f"listening on {upstream.origin}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    typer.run(run)
