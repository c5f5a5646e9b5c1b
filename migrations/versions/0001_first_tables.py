"""first tables

Users with profiles and posts, categories, products, orders with lines.

Revision 0001, after nothing; written 2026-11-20.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import colonnade

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
    )
    op.create_index(op.f("ix_categories_name"), "categories", ["name"], unique=True)

    op.create_table(
        "users",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("username", sa.String(length=50), nullable=False),
        sa.Column("full_name", sa.String(length=100), nullable=True),
        sa.Column("bio", sa.String(length=500), nullable=True),
        sa.Column(
            "role",
            sa.Enum("user", "staff", "admin", name="userrole", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("hashed_password", sa.String(length=255), nullable=False),
        sa.Column("last_login_at", colonnade.UTCDateTime(), nullable=True),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(op.f("ix_users_created_at"), "users", ["created_at"])
    op.create_index(op.f("ix_users_email"), "users", ["email"], unique=True)
    op.create_index(op.f("ix_users_role_created_at"), "users", ["role", "created_at"])
    op.create_index(op.f("ix_users_username"), "users", ["username"], unique=True)

    op.create_table(
        "orders",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("user_id", colonnade.BigId, nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "paid",
                "shipped",
                "cancelled",
                name="orderstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("total", colonnade.ExactDecimal(18, 2), nullable=False),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id_users"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_created_at"), "orders", ["created_at"])
    op.create_index(op.f("ix_orders_status_created_at"), "orders", ["status", "created_at"])
    op.create_index(op.f("ix_orders_total"), "orders", ["total"])
    op.create_index(op.f("ix_orders_user_id"), "orders", ["user_id"])

    op.create_table(
        "posts",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("user_id", colonnade.BigId, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_posts_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index(op.f("ix_posts_created_at"), "posts", ["created_at"])
    op.create_index(op.f("ix_posts_title"), "posts", ["title"])
    op.create_index(op.f("ix_posts_user_id"), "posts", ["user_id"])

    op.create_table(
        "products",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("price", colonnade.ExactDecimal(10, 2), nullable=False),
        sa.Column("quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("category_id", colonnade.BigId, nullable=True),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("price > 0", name=op.f("ck_products_price_positive")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_products_quantity_not_negative")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name=op.f("fk_products_category_id_categories"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
    )
    op.create_index(op.f("ix_products_category_id"), "products", ["category_id"])
    op.create_index(op.f("ix_products_created_at"), "products", ["created_at"])
    op.create_index(op.f("ix_products_name"), "products", ["name"])
    op.create_index(op.f("ix_products_name_price"), "products", ["name", "price"])
    op.create_index(op.f("ix_products_price"), "products", ["price"])
    op.create_index(op.f("ix_products_quantity"), "products", ["quantity"])

    op.create_table(
        "user_profiles",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("user_id", colonnade.BigId, nullable=False),
        sa.Column("bio", sa.String(length=2000), nullable=True),
        sa.Column("website", sa.String(length=300), nullable=True),
        sa.Column("location", sa.String(length=100), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_profiles_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_profiles")),
    )
    op.create_index(op.f("ix_user_profiles_user_id"), "user_profiles", ["user_id"], unique=True)

    op.create_table(
        "order_lines",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("order_id", colonnade.BigId, nullable=False),
        sa.Column("product_id", colonnade.BigId, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", colonnade.ExactDecimal(10, 2), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_lines_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_lines_order_id_orders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_order_lines_product_id_products"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_lines")),
        sa.UniqueConstraint("order_id", "product_id", name=op.f("uq_order_lines_order_id_product_id")),
    )
    op.create_index(op.f("ix_order_lines_product_id"), "order_lines", ["product_id"])


def downgrade() -> None:
    op.drop_table("order_lines")
    op.drop_table("user_profiles")
    op.drop_table("products")
    op.drop_table("posts")
    op.drop_table("orders")
    op.drop_table("users")
    op.drop_table("categories")
