"""Bytes to events and back, one module per dialect; pure: no I/O, no clock."""
