"""Reads the price list of genai-prices without importing it (and pydantic and httpx2 with it)."""
