"""Models that we run: token ids in, events out; knows nothing of HTTP or of tenants' keys."""
