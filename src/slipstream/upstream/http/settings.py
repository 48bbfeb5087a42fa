"""What an operator may set of the upstream connections; every bound has a default that is safe."""

from dataclasses import dataclass

from slipstream.settings import setting


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Bounds of the upstream HTTP client; counts are per origin, sizes per answer."""

    max_connections: int = setting(
        "Open connections to one upstream, at most; further requests wait for one.",
        default=512,
        least=1,
        most=65_535,
    )
    max_idle_connections: int = setting(
        "Idle connections kept to one upstream, at most; further ones are closed.",
        default=256,
        least=0,
        most=65_535,
    )
    max_waiting: int = setting(
        "Requests that may wait for a connection to one upstream; further ones are refused.",
        default=1024,
        least=0,
        most=1_000_000,
    )
    idle_expiry_s: float = setting(
        "How long an idle connection is kept; an upstream's own shorter hint is obeyed.",
        default=30.0,
        unit="s",
        least=0.05,
        most=3600,
    )
    max_header_bytes: int = setting(
        "Header lines of one answer, at most.",
        default=64 * 1024,
        unit="bytes",
        least=1024,
        most=16 * 1024 * 1024,
    )
    max_body_bytes: int = setting(
        "Body of one plain answer, at most; streams are relayed, not collected.",
        default=32 * 1024 * 1024,
        unit="bytes",
        least=1024,
        most=2 * 1024 * 1024 * 1024,
    )
    stream_buffer_bytes: int = setting(
        "Bytes of a stream that may wait for a slow client before the upstream is held back.",
        default=256 * 1024,
        unit="bytes",
        least=1024,
        most=64 * 1024 * 1024,
    )
    ca_file: str = setting(
        "PEM file of further certificate authorities to trust, beside the system's.",
        default="",
    )
