"""When a provider that is out of quota wants to be asked again, however it says so."""

import pytest

from slipstream.errors import Busy
from tests.upstream.dialect_scene import CHAT, PROVIDERS, asking, dialect_scene

# What the scripted providers say of the limit that is used up; DeepInfra documents no headers, and
# the scripted one has OpenAI's.
RESETS = {
    "cerebras": 33.0,
    "openai": 360.0,
    "anthropic": 20.0,
    "groq": 360.0,
    "gemini": None,
    "deepinfra": 360.0,
    "mistral": 60.0,
    "xai": 360.0,
    "openrouter": 20.0,
}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_limit_that_is_used_up_says_when_it_is_reset(provider: str) -> None:
    """Without `retry-after` the reset is the hint, in each provider's names and units."""
    async with dialect_scene(provider) as s:
        s.upstream.script("status=429,remaining=0")
        with pytest.raises(Busy) as caught:
            await s.frames(CHAT, asking(CHAT, stream=False))
    assert caught.value.retry_after_s == RESETS[provider]


async def test_gemini_says_it_in_the_body() -> None:
    """To whatever endpoint the call went."""
    async with dialect_scene("gemini") as s:
        s.upstream.script("status=429,retry_after=34.5")
        with pytest.raises(Busy) as caught:
            await s.frames(CHAT, asking(CHAT, stream=True))
    assert caught.value.retry_after_s == 34.5
