"""Virtual keys (budgets and rate limits come to live here too)."""
