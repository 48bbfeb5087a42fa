"""Who speaks which dialect."""

from typing import Any, Final

from tests.matrix.anthropic_client import MessagesClient
from tests.matrix.cells import Client
from tests.matrix.openai_clients import ChatClient, TextClient
from tests.matrix.responses_client import ResponsesClient

SDKS: Final[dict[Client, Any]] = {
    "chat": ChatClient,
    "completions": TextClient,
    "responses": ResponsesClient,
    "messages": MessagesClient,
}
"""Each is opened with the gateway's address and a key."""
