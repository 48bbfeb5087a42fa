"""What is asked and what is heard, in no dialect's words: what features and clients share."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
PDF: Final = "JVBERi0xLjQKJSBhIHBhZ2UgdGhhdCBpcyBub25lCiUlRU9GCg=="
ADDRESS: Final = "https://pictures.example/cat.png"
LIMIT: Final = 4096


class Tool(NamedTuple):
    """A function that is offered."""

    name: str
    schema: dict[str, Any]


class Call(NamedTuple):
    """A call that was heard."""

    call_id: str
    name: str
    arguments: Any


class Counts(NamedTuple):
    """Tokens: of the whole input and output, and of parts of them."""

    input: int
    cached: int
    written: int
    output: int
    reasoning: int


@dataclass(frozen=True)
class Ask:
    """One request.

    Args:
        turns: In the client's own words, as it makes them.
        is_exact: At temperature 0.
    """

    turns: tuple[Any, ...]
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    must_call: str | None = None
    schema: dict[str, Any] | None = None
    effort: str | None = None
    limit: int = LIMIT
    is_exact: bool = False


@dataclass
class Heard:
    """One answer.

    Args:
        text: A refusal's, too.
        finish: `stop`, `length`, `tool_calls`, `refusal`, whatever the dialect calls them.
        num_pieces: Of text, in a stream.
        back: The answer as turns that are sent back.
    """

    text: str
    finish: str
    calls: list[Call] = field(default_factory=list)
    thoughts: str = ""
    counts: Counts | None = None
    num_pieces: int = 1
    back: tuple[Any, ...] = ()


class Notes:
    """Keeps the headers of the last answer, for an SDK's HTTP client to call."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    async def __call__(self, response: Any) -> None:
        """Note an answer."""
        self.headers = dict(response.headers)

    @property
    def changes(self) -> list[str]:
        """What of the request the upstream got otherwise."""
        said = self.headers.get("x-slipstream-changed", "")
        return said.split(", ") if said else []


class Client(Protocol):
    """One official SDK, speaking one dialect."""

    notes: Notes

    async def ask(self, model: str, ask: Ask, *, stream: bool) -> Heard:
        """Ask, and wait for the whole answer."""

    async def ask_until_error(self, model: str, ask: Ask) -> tuple[str, Exception]:
        """Ask for a stream that breaks off; return the text before, and what the SDK raised."""

    def user(self, text: str, *, image: str | None = None, pdf: str | None = None) -> Any:
        """Return a user's turn, with a picture (data or an address) or a document beside it."""

    def assistant(self, text: str) -> Any:
        """Return an assistant's turn."""

    def results(self, said: list[tuple[Call, str]]) -> tuple[Any, ...]:
        """Return the turns in which the results of tools are sent back."""

    async def close(self) -> None:
        """Close the SDK's client."""
