"""The settings of one model that we run; nothing here reads a file or knows OpenVINO."""

from dataclasses import dataclass

from slipstream.settings import setting

MIB = 1024 * 1024
FAMILIES = (  # the rows of families.py, which a gateway has no need to load
    "generic",
    "harmony",
    "deepseek-r1",
    "deepseek-v3.1",
    "glm",
    "qwen-coder",
    "hermes",
    "llama3",
    "mistral-v13",
    "mistral",
)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How one model runs. Every field has a default that is safe on a laptop."""

    start: str = setting(
        "when the model's process starts: with the gateway, or at the first request for it",
        default="startup",
        choices=("startup", "first_use"),
    )
    unload_after_s: float | None = setting(
        "end the model's process when it had no request for so long; the next request starts it "
        "again and waits for it. Left out: never",
        default=None,
        unit="s",
        least=1.0,
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
    batch_invariant: bool = setting(
        "every answer is exact: guessed tokens, cached prefixes and neighbours change no bit of "
        "it; free for one or two answers at once, half as slow again for 16. Left false, a request "
        "is exact that gives a seed or a prediction, and one that runs alone",
        default=False,
    )
    template: str | None = setting(
        "a file with a chat template to use in place of the model's own; from the folder that "
        "Slipstream was started in",
        default=None,
    )
    family: str | None = setting(
        "how the model writes reasoning and calls of functions, where its template does not tell: "
        "Qwen 2.5 and 3 write like hermes, gpt-oss writes harmony",
        default=None,
        choices=FAMILIES,
    )
    device: str = setting(
        "where the model runs, by OpenVINO's name: CPU, GPU, GPU.1, NPU; only CPU is tested",
        default="CPU",
    )
    prefix_ttl_s: float = setting(
        "how long the cache keeps a prefix that nobody uses",
        default=300.0,
        unit="s",
        least=0,
    )
    max_running: int = setting(
        "answers that are written at the same time", default=32, least=1, most=1024
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
    mixed_prompt_tokens: int | None = setting(
        "prompt tokens of one step beside running answers; more reads prompts sooner and makes "
        "the running answers stutter. Left out: as many as make such a step about twice as long",
        default=None,
        unit="tokens",
        least=16,
        most=65_536,
    )
