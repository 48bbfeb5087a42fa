"""Prices that genai-prices does not have: one row per model, with its source and date.

A row says nothing of cached input where the provider lists no price for it: it is billed as input.
"""

from collections.abc import Mapping
from typing import Final

from slipstream.call import Price, Rates

# The list price of the model's page at deepinfra.com, as litellm 1.109.1's price map has it.
_DEEPINFRA: Final = "deepinfra.com by litellm 1.109.1"


def _text(
    input_rate: int, cache_read_rate: int, output_rate: int, *, source: str, date: str
) -> Price:
    """Make the price of a text model; all rates are micro-dollars per million tokens."""
    rates = Rates(
        input_tokens=input_rate,
        cache_read_tokens=cache_read_rate,
        cache_write_5m_tokens=input_rate,
        cache_write_1h_tokens=input_rate,
        input_image_tokens=input_rate,
        output_tokens=output_rate,
        output_reasoning_tokens=output_rate,
        prediction_accepted_tokens=output_rate,
        prediction_rejected_tokens=output_rate,
    )
    return Price(rates=rates, source=source, date=date)


def _deepinfra(input_rate: int, cache_read_rate: int, output_rate: int) -> Price:
    return _text(input_rate, cache_read_rate, output_rate, source=_DEEPINFRA, date="2026-11-21")


# (provider row, model): input, cached input, output in micro-dollars per million tokens.
EXTRA_ROWS: Final[Mapping[tuple[str, str], Price]] = {
    ("deepinfra", "openai/gpt-oss-120b"): _deepinfra(37_000, 37_000, 170_000),
    ("deepinfra", "openai/gpt-oss-120b-Turbo"): _deepinfra(150_000, 150_000, 600_000),
    ("deepinfra", "openai/gpt-oss-20b"): _deepinfra(30_000, 30_000, 140_000),
    ("deepinfra", "deepseek-ai/DeepSeek-V4.1-Flash"): _deepinfra(140_000, 4_200, 420_000),
    ("deepinfra", "deepseek-ai/DeepSeek-V4-Pro-0813"): _deepinfra(1_300_000, 100_000, 2_600_000),
    ("deepinfra", "deepseek-ai/DeepSeek-V3.2"): _deepinfra(260_000, 130_000, 380_000),
    ("deepinfra", "zai-org/GLM-5.2"): _deepinfra(750_000, 140_000, 2_400_000),
    ("deepinfra", "moonshotai/Kimi-K3"): _deepinfra(2_850_000, 285_000, 14_250_000),
    ("deepinfra", "MiniMaxAI/MiniMax-M3"): _deepinfra(280_000, 56_000, 1_100_000),
    ("deepinfra", "Qwen/Qwen3.8-27B"): _deepinfra(400_000, 40_000, 3_000_000),
    ("deepinfra", "Qwen/Qwen3.8-Max"): _deepinfra(1_650_000, 1_650_000, 4_951_000),
    ("deepinfra", "google/gemma-4-31B-it"): _deepinfra(130_000, 130_000, 380_000),
    ("deepinfra", "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B"): _deepinfra(85_000, 85_000, 400_000),
    ("deepinfra", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"): _deepinfra(
        20_000, 20_000, 40_000
    ),
    ("deepinfra", "meta-llama/Llama-3.3-70B-Instruct-Turbo"): _deepinfra(100_000, 100_000, 320_000),
}
