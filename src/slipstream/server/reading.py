"""From a request's bytes to its Call, as its door and profile read them; nothing is limited here.

Exchange reads so what it answers, and explain what it only thinks about, so that both mean the
same.
"""

from typing import Final

from slipstream.call import Call, Dialect
from slipstream.server.profiles import OPENAI, Door, Headers, Profile
from slipstream.wire.openai_chat import Scan
from slipstream.wire.wishes import HEADER, goes_to_openrouter, read_patience, read_wishes

# Cerebras knows no list of models, and refuses it as any other key that it does not know.
_STRICT: Final = (Dialect.CEREBRAS_CHAT, Dialect.CEREBRAS_COMPLETIONS)


def read_call(
    door: Door,
    profile: Profile,
    headers: Headers,
    body: bytes,
    call_id: str,
    key_id: str,
    priority: int = 0,
) -> tuple[Call, Scan]:
    """Return a request's Call, and what was read of it beside.

    Args:
        profile: In which it is answered.
        body: As JSON, unpacked.
        priority: Of the Call.

    Raises:
        BadRequest: It is not one that can be answered.
    """
    ingress = door.get(profile.name) or door[OPENAI.name]
    keeps_models = _keeps_any if ingress.dialect in _STRICT else goes_to_openrouter
    wishes, body = read_wishes(body, headers.get(HEADER), keeps_models=keeps_models)
    scan = ingress.read(body, headers)
    call = Call(
        call_id=call_id,
        dialect=ingress.dialect,
        body=body,
        model=scan.model,
        key_id=key_id,
        is_stream=scan.is_stream,
        wants_usage=scan.wants_usage,
        max_output_tokens=scan.max_output_tokens,
        asked=scan.asked,
        priority=priority,
        headers=tuple((n, headers[n]) for n in ingress.passes if n in headers),
        wishes=wishes,
        patience_s=None if scan.is_stream else read_patience(headers),
    )
    return call, scan


def _keeps_any(model: str) -> bool:
    return True
