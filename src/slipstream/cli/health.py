"""What a gateway says of itself at `/health`, and waiting until a model of it is ready."""

import json
import time
import urllib.request

from slipstream.errors import LoadFailed

_MAX_ANSWER_BYTES = 65536
_POLL_S = 0.05


def read_health(base_url: str, limit_s: float = 3.0) -> dict[str, str] | None:
    """Return the state of each model that a gateway runs; None if no gateway of ours answers.

    Proxies are not asked: this is for gateways on this machine.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base_url}/health", timeout=limit_s) as answer:
            said = json.loads(answer.read(_MAX_ANSWER_BYTES))
    except (OSError, ValueError):
        return None
    models = said.get("models") if isinstance(said, dict) else None
    return models if isinstance(models, dict) else None


def await_model(base_url: str, model: str, limit_s: float) -> None:
    """Wait until a gateway says that a model is ready.

    Raises:
        LoadFailed: It is not installed there, or not ready within `limit_s`.
    """
    give_up_at_s = time.monotonic() + limit_s
    state = "unknown"
    while time.monotonic() < give_up_at_s:
        state = (read_health(base_url) or {}).get(model, "unknown")
        if state == "ready":
            return
        if state == "not installed":
            break
        time.sleep(_POLL_S)
    raise LoadFailed(f"the model '{model}' did not become ready: it is {state}")
