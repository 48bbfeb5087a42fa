"""The dialects that the scripted upstream speaks, one row each."""

from typing import Final

from slipstream.upstream.scripted.cerebras_chat import CEREBRAS_CHAT
from slipstream.upstream.scripted.nouns import Dialect
from slipstream.upstream.scripted.openai_chat import OPENAI_CHAT
from slipstream.upstream.scripted.openai_embeddings import OPENAI_EMBEDDINGS

# The first whose path fits: Cerebras's ends as OpenAI's does.
DIALECTS: Final[tuple[Dialect, ...]] = (CEREBRAS_CHAT, OPENAI_CHAT, OPENAI_EMBEDDINGS)


def find_dialect(path: str) -> Dialect | None:
    """Return the dialect that a request to this path speaks, if any."""
    for dialect in DIALECTS:
        if path.endswith(dialect.path_suffixes):
            return dialect
    return None
