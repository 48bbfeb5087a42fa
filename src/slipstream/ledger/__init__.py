"""Exact cost arithmetic, the journal, the database and its reports."""
