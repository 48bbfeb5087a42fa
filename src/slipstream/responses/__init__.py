"""Answers of the Responses dialect that are kept for those who asked, in the ledger's database."""
