"""What Python does for every program and a gateway pays for with every request, turned down.

Called once, when everything that lives as long as the process has been made.
"""

import gc
import sys


def spare_the_collector() -> None:
    """Let the garbage collector pass by what lives as long as the process, and come less often.

    A request leaves no cycles behind; with Python's default of 700 objects the collector ran many
    times a millisecond and took 7% of the time at 32 connections.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def spare_the_register() -> None:
    """Keep the event loop from registering every asynchronous generator, three for each request.

    The register serves one purpose: to close generators that nobody closed when the loop ends. Ours
    are closed by whoever iterates them. What a generator that is dropped needs stays in place.
    """
    _, finalizer = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=finalizer)
