"""The database's schema, step by step; run as `python -m slipstream.migrations`, URL on stdin.

A process of its own, because Alembic and SQLAlchemy take 40 MB that nobody needs after it.
"""
