"""The matrix as a table: what each dialect of clients can do at each dialect of upstreams.

What is not refused is supported. docs/dialects.md is written from this table, and test_matrix.py
asks for every cell over the wire, refused ones included.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

Client = Literal["chat", "completions", "responses", "messages"]
Upstream = Literal["chat", "responses", "messages", "gemini", "completions", "local"]

CLIENTS: Final[dict[Client, str]] = {
    "chat": "Chat",
    "responses": "Responses",
    "messages": "Messages",
    "completions": "Text completions",
}
UPSTREAMS: Final[dict[Upstream, str]] = {
    "chat": "Chat",
    "responses": "Responses",
    "messages": "Messages",
    "gemini": "Gemini",
    "completions": "Text completions",
    "local": "Own models",
}


class Feature(NamedTuple):
    """A row of the matrix.

    Args:
        about: What its cells check, for the page.
        is_local: It is asked of our own models, too.
    """

    title: str
    about: str
    is_local: bool = True


FEATURES: Final[dict[str, Feature]] = {
    "text": Feature(
        "text",
        "a conversation of four turns arrives whole, and the answer with its reason to end",
    ),
    "stream": Feature("stream", "the same, in pieces"),
    "tools": Feature(
        "tools", "a call, plain and streamed; its result, sent back, reaches the model"
    ),
    "parallel": Feature(
        "parallel tools streamed",
        "three calls at once, one without arguments, their pieces as interleaved as the upstream "
        "has them; all results go back",
        is_local=False,
    ),
    "image": Feature("image", "as data; its bytes arrive"),
    "image_url": Feature("image by address", "the address arrives", is_local=False),
    "document": Feature("document", "a PDF as data; its bytes arrive"),
    "form": Feature("structured output", "the schema arrives, and the answer is of its form"),
    "reasoning": Feature(
        "reasoning, second turn",
        "it is seen; what the vendor sealed comes back to it unchanged, beside a call's result",
        is_local=False,
    ),
    "foreign": Feature(
        "reasoning, another vendor",
        "what one vendor sealed is kept from the next and named, and the talk goes on",
        is_local=False,
    ),
    "refusal": Feature(
        "refusal",
        "that the model would not answer, and what it said instead, in the client's way",
        is_local=False,
    ),
    "error_before": Feature(
        "error before the first token",
        "429 with its time to wait, a refused request and an overload are the SDK's own errors; "
        "of our own models, a prompt that is too long",
    ),
    "error_after": Feature(
        "error after the first token",
        "an error and a cut, after text that was received, raise in the SDK",
        is_local=False,
    ),
    "usage": Feature("usage, plain", "every bucket is what the upstream counted"),
    "usage_stream": Feature("usage, streamed", "the same in a stream"),
}


class Refusal(NamedTuple):
    """How a cell is refused.

    Args:
        field: That the error names, in the client's words.
        reason: Of REASONS.
        is_theirs: The upstream refuses it, in its own words.
    """

    field: str
    reason: str
    is_theirs: bool = False


REASONS: Final[dict[str, str]] = {
    "text-client": (
        "A text completion asks for text and gets text: the dialect has no word for tools, images, "
        "forms or reasoning, so an answer could not hold what was asked for. `tools`, `functions`, "
        "`messages`, `response_format` and `reasoning_effort` are refused by their names, a prompt "
        "that is no text as `prompt`. Ask at `/v1/chat/completions`."
    ),
    "text-relayed": (
        "Between two that speak text completions bytes are relayed, and the server says itself "
        "what it does not know."
    ),
    "text-upstream": (
        "A base model goes on with a transcript. It has no tools, sees nothing, is bound to no "
        "form and thinks aloud at most; an answer without what was asked for would look like one "
        "that has it, so nothing is sent."
    ),
    "addresses": (
        "Gemini reads files from its own storage only. We fetch nothing that a client names, "
        "because the address may lie inside the gateway's own network: send the bytes."
    ),
    "own-images": "The models that we run ourselves read text only.",
}

_TEXT_CLIENT: Final = {
    "tools": "tools",
    "parallel": "tools",
    "image": "prompt",
    "image_url": "prompt",
    "document": "prompt",
    "form": "response_format",
    "reasoning": "reasoning_effort",
    "foreign": "reasoning_effort",
}
_TURNS: Final[dict[Client, str]] = {"chat": "messages", "responses": "input"}
_OWN_IMAGES: Final[dict[Client, str]] = {
    "chat": "messages[0].content[1].type",
    "responses": "input",
}
_FORMS: Final[dict[Client, str]] = {"chat": "response_format", "responses": "text.format"}
_THINKING: Final[dict[Client, str]] = {"chat": "reasoning_effort", "responses": "reasoning.effort"}


def _turns(client: Client) -> str:
    return _TURNS.get(client, "messages")


def refusal_of(client: Client, upstream: Upstream, feature: str) -> Refusal | None:
    """Return how a cell is refused; None where it is supported."""
    if client == "completions":
        field = _TEXT_CLIENT.get(feature)
        if field is None:
            return None
        if upstream == "completions":
            return Refusal(field, "text-relayed", is_theirs=True)
        return Refusal(field, "text-client")
    if upstream == "completions":
        field = {
            "tools": "tools",
            "parallel": "tools",
            "image": _turns(client),
            "image_url": _turns(client),
            "document": _turns(client),
            "form": _FORMS.get(client, "output_config.format"),
            "reasoning": _THINKING.get(client, "thinking"),
        }.get(feature)
        return None if field is None else Refusal(field, "text-upstream")
    if upstream == "gemini" and feature == "image_url":
        return Refusal(_turns(client), "addresses")
    if upstream == "local" and feature in ("image", "image_url", "document"):
        return Refusal(_OWN_IMAGES.get(client, "messages"), "own-images")
    return None


class Cell(NamedTuple):
    """One client, one upstream, one thing that is asked for."""

    feature: str
    client: Client
    upstream: Upstream

    @property
    def refusal(self) -> Refusal | None:
        """How it is refused; None where it is supported."""
        return refusal_of(self.client, self.upstream, self.feature)

    def __str__(self) -> str:
        return f"{self.feature}-{self.client}-{self.upstream}"


def _cells() -> Iterator[Cell]:
    for name, feature in FEATURES.items():
        for client in CLIENTS:
            for upstream in UPSTREAMS:
                if feature.is_local or upstream != "local":
                    yield Cell(name, client, upstream)


CELLS: Final = tuple(_cells())
