"""Providers as rows, models, dated prices."""
