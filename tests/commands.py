"""What processes run, for tests that look for one of them."""

from pathlib import Path


def command_of(pid: int | str) -> str:
    """Return a process's command line; empty if it is gone.

    It may go at any moment: between the look at who there is and the look at what it runs.
    """
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
