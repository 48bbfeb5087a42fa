"""The commands: one module each, found through the table in `main` and imported when asked for."""
