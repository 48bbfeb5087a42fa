"""The ledger's attempts, what the bookkeeper remembers of the journal, and the virtual keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BUCKETS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_tokens",
    "output_reasoning_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "prediction_accepted_tokens",
    "prediction_rejected_tokens",
    "tool_units",
)


def upgrade() -> None:
    """Create the first tables."""
    _create_attempts()
    op.create_table(
        "open_attempts",  # opened, and not settled when the journal was last read
        sa.Column("attempt_id", sa.Text, primary_key=True),
        sa.Column("worker", sa.Text, nullable=False, index=True),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "journal_offsets",
        sa.Column("segment", sa.Text, primary_key=True),
        sa.Column("end_bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_ns", sa.BigInteger),
    )
    is_active = sa.text("revoked_at_ns IS NULL")
    op.create_index(
        "keys_active_name",
        "keys",
        ["name"],
        unique=True,
        sqlite_where=is_active,
        postgresql_where=is_active,
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("attempt_id", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("is_stream", sa.Boolean, nullable=False),
        sa.Column("started_at_ns", sa.BigInteger, nullable=False, index=True),
        sa.Column("state", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _BUCKETS),
        sa.Column("is_estimate", sa.Boolean, nullable=False),
        sa.Column("cost_usd_pico", sa.BigInteger),  # NULL: not known, which is not zero
        sa.Column("price_source", sa.Text),
        sa.Column("price_date", sa.Text),
        sa.Column("http_status", sa.Integer),
        sa.Column("fault", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("finish_reason", sa.Text),
        sa.Column("first_token_us", sa.BigInteger),
        sa.Column("total_us", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop everything: this is the first step."""
    for table in ("keys", "journal_offsets", "open_attempts", "attempts"):
        op.drop_table(table)
