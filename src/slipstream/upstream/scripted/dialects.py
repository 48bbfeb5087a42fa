"""The dialects that the scripted upstream speaks, one row each."""

from typing import Final

from slipstream.upstream.scripted.cerebras_chat import CEREBRAS_CHAT
from slipstream.upstream.scripted.gemini import GEMINI, GEMINI_COUNT
from slipstream.upstream.scripted.messages import COUNT_TOKENS, MESSAGES
from slipstream.upstream.scripted.nouns import Dialect
from slipstream.upstream.scripted.openai_chat import OPENAI_CHAT
from slipstream.upstream.scripted.openai_completions import OPENAI_COMPLETIONS
from slipstream.upstream.scripted.openai_embeddings import EMBEDDINGS
from slipstream.upstream.scripted.provider_chat import PROVIDER_CHATS
from slipstream.upstream.scripted.responses import (
    COMPACTION,
    INPUT_TOKENS,
    RESPONSES,
    XAI_RESPONSES,
)

# The first whose path fits: those of providers stand before what they are like.
DIALECTS: Final[tuple[Dialect, ...]] = (
    CEREBRAS_CHAT,
    *PROVIDER_CHATS,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    *EMBEDDINGS,
    MESSAGES,
    COUNT_TOKENS,
    XAI_RESPONSES,
    RESPONSES,
    COMPACTION,
    INPUT_TOKENS,
    GEMINI,
    GEMINI_COUNT,
)


def find_dialect(path: str) -> Dialect | None:
    """Return the dialect that a request to this path speaks, if any."""
    for dialect in DIALECTS:
        if path.endswith(dialect.path_suffixes):
            return dialect
    return None
