"""A day of traffic through the real planner, board and dispatch, on a clock that jumps.

`python -m bench.routing` prints one table for each world and ends with one line of JSON.
"""
