"""Virtual keys and their rate limits (budgets come to live here too)."""
