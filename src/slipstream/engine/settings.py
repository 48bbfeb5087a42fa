"""The settings of one model that we run; nothing here reads a file or knows OpenVINO."""

from dataclasses import dataclass

from slipstream.settings import setting

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one model runs. Every field has a default that is safe on a laptop."""

    start: str = setting(
        "when the model's process starts: with the gateway, or at the first request for it",
        default="startup",
        choices=("startup", "first_use"),
    )
    kv_cache_bytes: int = setting(
        "memory for the attention cache, taken from the system as it fills; bounds how many "
        "tokens all running requests hold together",
        default=1024 * MIB,
        unit="bytes",
        least=16 * MIB,
    )
    threads: int | None = setting(
        "CPU threads of the model; left out: the physical cores that the process may use",
        default=None,
        least=1,
        most=1024,
    )
    precision: str = setting(
        "arithmetic: auto (f32 with activations quantised on the fly), f32 (the same), "
        "bf16 (with an 8-bit cache: a quarter of the memory, quicker prompts, slower answers), "
        "exact (f32 and nothing quantised on the fly: half the speed)",
        default="auto",
        choices=("auto", "f32", "bf16", "exact"),
    )
    max_running: int = setting(
        "requests that are answered at the same time", default=32, least=1, most=1024
    )
    max_queued: int = setting(
        "requests that wait for a place; the next one is refused", default=256, least=1
    )
    max_batch_tokens: int = setting(
        "tokens of one step: the largest piece of a prompt that is read at once",
        default=512,
        unit="tokens",
        least=16,
    )
    mixed_prompt_tokens: int = setting(
        "prompt tokens of one step beside running answers; more reads prompts sooner and "
        "makes the running answers stutter",
        default=32,
        unit="tokens",
        least=16,
    )
