"""What a running gateway's `/metrics` says of the engines of its models."""

import urllib.request
from collections.abc import Mapping

import msgspec
from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "slipstream_engine_"
_MAX_ANSWER_BYTES = 4 * 1024 * 1024


def read_figures(
    base_url: str, key: str | None, limit_s: float = 3.0
) -> dict[str, dict[str, float]]:
    """Return every figure by its name, by model; none where no gateway answers or the key is wrong.

    Behind a name stand the values of further labels, in the order of the labels' names.
    Proxies are not asked: this is for gateways on this machine.
    """
    headers = {"authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{base_url}/metrics", headers=headers)  # noqa: S310 -- ours
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=limit_s) as answer:
            return _figures_of(answer.read(_MAX_ANSWER_BYTES).decode())
    except (OSError, ValueError):
        return {}


def _figures_of(text: str) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(_PREFIX) and "model" in sample.labels:
                further = [
                    text for label, text in sorted(sample.labels.items()) if label != "model"
                ]
                name = ".".join([sample.name.removeprefix(_PREFIX), *further])
                figures.setdefault(sample.labels["model"], {})[name] = sample.value
    return figures


class Busyness(msgspec.Struct, frozen=True):
    """What a person wants to know of an engine at a glance."""

    num_running: int
    num_waiting: int
    tokens_per_s: float
    blocks_used_ratio: float
    cached_prompt_ratio: float | None  # of all prompt tokens; None before the first
    drafts_right_ratio: float | None  # of all guessed tokens


def busyness_of(figures: Mapping[str, float]) -> Busyness:
    """Return the figures of one model that say how busy and how lucky it is."""

    def of(name: str) -> float:
        return figures.get(name, 0.0)

    cached, computed = of("cached_prompt_tokens_total"), of("prompt_tokens_total")
    drafts = {name: value for name, value in figures.items() if name.startswith("draft_tokens")}
    right = sum(value for name, value in drafts.items() if ".accepted" in name)
    used = of("blocks") - of("blocks_free")
    return Busyness(
        num_running=int(of("requests_running")),
        num_waiting=int(of("requests_waiting")),
        tokens_per_s=of("tokens_per_second"),
        blocks_used_ratio=_ratio(used, of("blocks")) or 0.0,
        cached_prompt_ratio=_ratio(cached, cached + computed),
        drafts_right_ratio=_ratio(right, sum(drafts.values())),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
