"""The words of products, for search.

Revision 0006, after 0005; written 2026-11-20.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_full_text("products", ["name", "description"])


def downgrade() -> None:
    op.drop_full_text("products", ["name", "description"])
