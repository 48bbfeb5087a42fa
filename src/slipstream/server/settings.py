"""What the configuration may say of the server."""

from dataclasses import dataclass

from slipstream.settings import setting


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`[server]`: where it listens, who may call, and its bounds."""

    host: str = setting("Address to listen on.", default="127.0.0.1")
    port: int = setting(
        "Port to listen on; 0 takes a free one and prints it.", default=8080, least=0, most=65535
    )
    workers: int = setting("Processes that share the port.", default=1, least=1, most=64)
    profile: str = setting(
        "Whose API answers where the model's own `profile` does not say it: openai, cerebras, or "
        "auto: Cerebras's for its own SDKs, by their User-Agent, and OpenAI's for all others.",
        default="auto",
        choices=("auto", "openai", "cerebras"),
    )
    require_key: bool = setting(
        "Refuse callers without a key of `slipstream keys`. May be off on loopback only.",
        default=True,
    )
    max_body_bytes: int = setting(
        "Largest request body that is accepted.",
        default=32 * 1024 * 1024,
        unit="bytes",
        least=1024,
        most=1024 * 1024 * 1024,
    )
    max_concurrent: int = setting(
        "Requests in progress at once, in one process; more are answered 503 with Retry-After.",
        default=4096,
        least=1,
        most=1_000_000,
    )
    ping_s: float = setting(
        "How long a stream may say nothing before its client gets a sign of life in its dialect: "
        "Anthropic's `ping`, or a comment. 0 sends none.",
        default=10.0,
        unit="s",
        least=0.0,
        most=3600.0,
    )
    log: str = setting(
        "Where the one line for each request goes: `stderr`, `off`, or a file's path.",
        default="stderr",
    )
    shutdown_s: float = setting(
        "How long open answers may go on after a stop was asked for.",
        default=10.0,
        unit="s",
        least=0.0,
        most=3600.0,
    )
