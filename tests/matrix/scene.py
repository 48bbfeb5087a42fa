"""One cell of the matrix while it is played."""

from dataclasses import dataclass
from typing import Any

from tests.matrix.asking import Ask, Heard
from tests.matrix.asking import Client as Sdk
from tests.matrix.cells import Cell
from tests.matrix.house import PLACES, House


@dataclass(frozen=True)
class Scene:
    """One cell, played."""

    cell: Cell
    client: Sdk
    house: House

    @property
    def model(self) -> str:
        """The public name of the upstream's model."""
        return PLACES[self.cell.upstream].model

    @property
    def is_local(self) -> bool:
        """It is a model of our own, which nobody scripts."""
        return self.cell.upstream == "local"

    @property
    def is_transcript(self) -> bool:
        """A conversation is told to a base model."""
        return self.cell.upstream == "completions" and self.cell.client != "completions"

    def script(self, **behaviour: object) -> None:
        """Say how the upstream answers the next request."""
        if self.is_local:
            return
        if self.is_transcript and isinstance(behaviour.get("text"), str):
            behaviour["text"] = f" {behaviour['text']}"  # as base models do behind a label
        self.house.mock.script(behaviour)

    async def ask(self, ask: Ask, *, stream: bool) -> Heard:
        """Ask; check that the upstream was asked once, in its dialect."""
        before = len(self.house.mock.log)
        heard = await self.client.ask(self.model, ask, stream=stream)
        told = self.house.mock.log[before:]
        paths = PLACES[self.cell.upstream].paths
        assert [row.path.endswith(paths[stream]) for row in told] == [True] * (not self.is_local)
        return heard


def holds(document: Any, wanted: Any) -> bool:
    """Tell whether something stands anywhere in a document."""
    if document == wanted:
        return True
    inner = document.values() if isinstance(document, dict) else document
    return isinstance(document, dict | list) and any(holds(one, wanted) for one in inner)
