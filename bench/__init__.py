"""Benchmarks: one script per figure, all against the same upstream and the same contestants.

`scripts/bench` runs them together; `python -m bench.throughput` and its like run one. They use the
standard library, wrk and nginx, and nothing of the gateway but its command line.
"""
