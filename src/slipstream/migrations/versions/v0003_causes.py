"""Why an attempt was made: the first of its call, a fallback, a race's further runner, a probe.

Before this there were neither races nor probes, so its number says it of every attempt that was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; only rows of fallbacks, which are few, are written."""
    cause = sa.Column("cause", sa.Text, nullable=False, server_default="first")
    op.add_column("attempts", cause)
    op.execute("UPDATE attempts SET cause = 'fallback' WHERE number > 1")


def downgrade() -> None:
    """Drop it, with all that is in it."""
    op.drop_column("attempts", "cause")
