"""Which device a model runs on and with which arithmetic, in OpenVINO's words; pure.

Only the CPU is tested. For other devices OpenVINO's own choices stand, and what it refuses is
reported when the model is loaded.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from slipstream.engine.settings import EngineSettings
from slipstream.errors import LoadFailed

CPU: Final = "CPU"


class _Arithmetic(NamedTuple):
    """OpenVINO's properties for one `precision`."""

    inference: str
    cache: str
    quantisation_group: int | None  # of activations; None leaves the choice to OpenVINO


# Measured on an AMD EPYC (AVX-512, no AMX) and an Intel Xeon with AMX: f32 answers quicker than
# bf16 at every batch size on both, so it is what "auto" means.
_ARITHMETIC: Final = {
    "auto": _Arithmetic("f32", "f32", None),
    "f32": _Arithmetic("f32", "f32", None),
    "bf16": _Arithmetic("bf16", "u8", None),
    "exact": _Arithmetic("f32", "f32", 0),
}


def require_device(device: str, available: Sequence[str]) -> None:
    """Check that OpenVINO has a device: `GPU` is met by `GPU` and by `GPU.0`.

    Raises:
        LoadFailed: It has none of that name; names those that it has.
    """
    if device in available or any(name.startswith(f"{device}.") for name in available):
        return
    names = ", ".join(available) or "none"
    raise LoadFailed(f"device {device!r}: OpenVINO has none of that name here; it has: {names}")


def compile_properties(settings: EngineSettings, *, quantises_on_the_fly: bool) -> dict[str, Any]:
    """Return what a language model is compiled with."""
    if settings.device.partition(".")[0] != CPU:
        return {"PERFORMANCE_HINT": "LATENCY"}
    arithmetic = _ARITHMETIC[settings.precision]
    group = arithmetic.quantisation_group if quantises_on_the_fly else 0
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": arithmetic.inference,
        "KV_CACHE_PRECISION": arithmetic.cache,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    if group is not None:
        properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = group
    if settings.threads is not None:
        properties["INFERENCE_NUM_THREADS"] = settings.threads
    return properties


def threads_of(compiled: Any) -> int:
    """Return the threads that a compiled model uses; 0 on a device that has no such number."""
    try:
        return int(compiled.get_property("INFERENCE_NUM_THREADS"))
    except RuntimeError:
        return 0


def precision_of(compiled: Any, *names: str) -> str:
    """Return the arithmetic of a compiled model, by the names of its properties, joined by `/`."""
    return "/".join(compiled.get_property(name).get_type_name() for name in names)
