"""Leaves: what speaks to a target."""
