"""Models on disk: where they come from, how they are made ready, and what is known of them.

Nothing here runs a model; `manifest` is all that the runtime reads.
"""
