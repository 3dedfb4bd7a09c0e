"""Who may ask, and what they asked: API tokens, an append-only audit trail, rates and limits of projects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Owners and superusers included: whoever wants to change the trail has to drop the trigger first, and that shows.
_APPEND_ONLY = """
create function audit_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('berth.purging_audit', true) = 'yes' then
        return old;
    end if;
    raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
end $$
"""
# Runs as the owner of the table, so that the application's role needs no right to delete, and never reaches what
# is younger than thirty days.
_PURGE = """
create function purge_audit(older_than timestamptz, at_most integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    gone integer;
begin
    if older_than > clock_timestamp() - interval '30 days' then
        raise exception 'audit entries are kept for at least 30 days' using errcode = 'insufficient_privilege';
    end if;
    perform set_config('berth.purging_audit', 'yes', true);
    delete from public.audit where id in (
        select id from public.audit where time < older_than order by time, id limit at_most);
    get diagnostics gone = row_count;
    perform set_config('berth.purging_audit', '', true);
    return gone;
end $$
"""


def upgrade() -> None:
    op.add_column(
        "one_time_codes",
        sa.Column(
            "caller",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index("ix_tokens_page", "tokens", ["created_at", "id"], unique=False)
    _audit()
    op.create_table(
        "rate_buckets",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("granted", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_buckets")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "project_limits",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=True),
        sa.Column("cpu", sa.Float(), nullable=True),
        sa.Column("memory_mb", sa.Integer(), nullable=True),
        sa.Column("disk_gb", sa.Integer(), nullable=True),
        sa.Column("unfinished_operations", sa.Integer(), nullable=True),
        sa.Column("sockets", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_project_limits")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("trace_id", sa.Text(), nullable=True),
        sa.Column("remote", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_page", "audit", ["time", "id"], unique=False)
    op.create_index("ix_audit_actor", "audit", ["actor", "time"], unique=False)
    op.execute(_APPEND_ONLY)
    op.execute(
        "create trigger audit_append_only before update or delete on audit "
        "for each row execute function audit_append_only()"
    )
    op.execute(
        "create trigger audit_not_emptied before truncate on audit "
        "for each statement execute function audit_append_only()"
    )
    op.execute(_PURGE)
    op.execute("revoke all on function purge_audit(timestamptz, integer) from public")


def downgrade() -> None:
    for table in ("project_limits", "rate_buckets", "audit", "tokens"):
        op.drop_table(table)
    op.execute("drop function purge_audit(timestamptz, integer)")
    op.execute("drop function audit_append_only()")
    op.drop_column("one_time_codes", "caller")
