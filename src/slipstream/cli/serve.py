"""`slipstream serve`: read the configuration, with the flags over it, and run the gateway."""

import os
from pathlib import Path
from typing import Annotated

import typer

from slipstream import app
from slipstream import config as configuration


def serve(
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Configuration file; ./slipstream.toml if it is there."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port.")] = None,
) -> int:
    """Run the gateway until it is told to stop; print where it listens once it answers."""
    flags = {"host": host, "port": port, "workers": workers}
    given = {f"server.{name}": value for name, value in flags.items() if value is not None}
    return app.serve(configuration.load(config, os.environ, given))
