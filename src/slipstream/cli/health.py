"""What a gateway says of itself at `/health`, and waiting until a model of it is ready."""

import time
import urllib.request

import msgspec

from slipstream.errors import LoadFailed

_MAX_ANSWER_BYTES = 65536
_POLL_S = 0.05
_NEVER_READY = ("not installed", "damaged", "failed")


class Report(msgspec.Struct, frozen=True):
    """The state of each model, and why those cannot answer that cannot."""

    models: dict[str, str]
    problems: dict[str, str] = {}  # msgspec copies it


def read_health(base_url: str, limit_s: float = 3.0) -> dict[str, str] | None:
    """Return the state of each model that a gateway runs; None if no gateway of ours answers.

    Proxies are not asked: this is for gateways on this machine.
    """
    report = read_report(base_url, limit_s)
    return report.models if report is not None else None


def read_report(base_url: str, limit_s: float = 3.0) -> Report | None:
    """Return all that a gateway says of the models that it runs; None if none of ours answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base_url}/health", timeout=limit_s) as answer:
            return msgspec.json.decode(answer.read(_MAX_ANSWER_BYTES), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None


def await_model(base_url: str, model: str, limit_s: float) -> None:
    """Wait until a gateway says that a model is ready.

    Raises:
        LoadFailed: It cannot become ready there, or does not within `limit_s`.
    """
    give_up_at_s = time.monotonic() + limit_s
    state = "unknown"
    while time.monotonic() < give_up_at_s:
        state = (read_health(base_url) or {}).get(model, "unknown")
        if state == "ready":
            return
        if state in _NEVER_READY:
            break
        time.sleep(_POLL_S)
    raise LoadFailed(f"the model '{model}' did not become ready: it is {state}")
