"""Tests of slipstream.engine.devices."""

import pytest

from slipstream.engine.devices import compile_properties, require_device
from slipstream.engine.settings import EngineSettings
from slipstream.errors import LoadFailed


@pytest.mark.parametrize("device", ["CPU", "GPU", "GPU.0", "GPU.1", "NPU"])
def test_require_device_that_is_there_passes(device: str) -> None:
    """A device is named in full, or without its number."""
    require_device(device, ["CPU", "GPU.0", "GPU.1", "NPU"])


@pytest.mark.parametrize("device", ["GPU.2", "gpu", "CPU.0", ""])
def test_require_device_that_is_not_there_is_refused(device: str) -> None:
    """The refusal names what there is."""
    with pytest.raises(LoadFailed, match=r"CPU, GPU\.0, GPU\.1, NPU"):
        require_device(device, ["CPU", "GPU.0", "GPU.1", "NPU"])


def test_compile_properties_without_quantisation_override_the_precision() -> None:
    """Activations stay whole where the bits would not hold otherwise."""
    group = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
    assert group not in compile_properties(EngineSettings(), quantises_on_the_fly=True)
    assert compile_properties(EngineSettings(), quantises_on_the_fly=False)[group] == 0


def test_compile_properties_of_other_devices_are_left_to_openvino() -> None:
    """Nothing that only the CPU knows is said to a GPU."""
    settings = EngineSettings(device="GPU.1", threads=2)
    assert compile_properties(settings, quantises_on_the_fly=True) == {
        "PERFORMANCE_HINT": "LATENCY"
    }
