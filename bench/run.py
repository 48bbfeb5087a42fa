"""Run every benchmark against every contestant and end with one table and one JSON line.

    scripts/bench            all figures, all contestants, three rounds; about a quarter of an hour
    scripts/bench --quick    one short round of direct, nginx and Slipstream; under 90 seconds

`make bench-peers` installs the other gateways; one that is not installed is left out and named.
"""

from bench import cpu_event, cpu_request, first_token, memory, startup, throughput
from bench.command import main

FIGURES = (
    startup.FIGURE,
    memory.FIGURE,
    throughput.FIGURE,
    cpu_request.FIGURE,
    first_token.FIGURE,
    cpu_event.FIGURE,  # last: a peer that cannot keep the pace is long at work on what is left
)

if __name__ == "__main__":
    main(FIGURES)
