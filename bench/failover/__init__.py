"""Routing proved with real processes: providers that break one after another, and races."""
