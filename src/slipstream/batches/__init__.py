"""Files of requests, and batches that work through them and survive a restart."""
