"""Which processes there are and what they run, for tests that look for one of them."""

from pathlib import Path


def command_of(pid: int | str) -> str:
    """Return a process's command line; empty if it is gone.

    It may go at any moment: between the look at who there is and the look at what it runs.
    """
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
