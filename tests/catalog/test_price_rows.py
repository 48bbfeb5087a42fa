"""The rows that we add: complete, sourced, and no duplicate of what genai-prices has."""

from datetime import date

import genai_prices
import pytest

from slipstream.call import Price
from slipstream.catalog.price_rows import EXTRA_ROWS


@pytest.mark.parametrize(("provider", "model", "price"), [(*k, v) for k, v in EXTRA_ROWS.items()])
def test_row_has_a_source_a_date_and_text_rates(provider: str, model: str, price: Price) -> None:
    """Whoever doubts a row finds where it came from; cached input is never dearer than input."""
    assert provider
    assert model
    assert price.source
    assert date.fromisoformat(price.date or "")
    rates = price.rates
    assert rates.input_tokens
    assert rates.output_tokens
    assert rates.cache_read_tokens is not None
    assert rates.cache_read_tokens <= rates.input_tokens <= rates.output_tokens


@pytest.mark.parametrize(("provider", "model"), list(EXTRA_ROWS))
def test_row_is_needed(provider: str, model: str) -> None:
    """A model that genai-prices knows by now has its price there, and its row here goes."""
    with pytest.raises(LookupError):
        genai_prices.calc_price(genai_prices.Usage(), model, provider_id=provider)
