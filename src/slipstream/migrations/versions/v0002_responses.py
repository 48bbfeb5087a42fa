"""Answers of the Responses dialect that are kept, and their items."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "responses",
        sa.Column("response_id", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, primary_key=True),  # whose it is: ids may come from elsewhere
        sa.Column("previous_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("provider", sa.Text),  # who keeps it, too
        sa.Column("upstream_id", sa.Text),
        sa.Column("request", sa.LargeBinary),  # of one in the background
        sa.Column("num_starts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("touched_at_ns", sa.BigInteger, nullable=False, index=True),
    )
    is_asked_for = sa.text("request IS NOT NULL")
    op.create_index(
        "responses_in_background",
        "responses",
        ["status"],
        sqlite_where=is_asked_for,
        postgresql_where=is_asked_for,
    )
    op.create_table(
        "response_items",
        sa.Column("response_id", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("is_output", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("response_items_by_name", "response_items", ["item_id", "key_id"])


def downgrade() -> None:
    """Drop them, with all that is in them."""
    op.drop_table("response_items")
    op.drop_table("responses")
