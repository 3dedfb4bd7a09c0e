"""The records of live instances, operations, events and finished lives."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("lifecycle_event_seq", data_type=sa.BigInteger)))
    op.create_table(
        "confirmations",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "operation_id", "instance_id", "kind", "generation", name=op.f("pk_confirmations")
        ),
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("blueprint", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("params", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("resources", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "restart_policy",
            sa.Enum(
                "never",
                "on_failure",
                "always",
                name="restart_policy",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("timeouts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("database", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("members >= 1", name=op.f("ck_deployments_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_deployments_project_name")),
    )
    op.create_index("ix_deployments_page", "deployments", ["project", "created_at", "id"], unique=False)
    op.create_table(
        "hosts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("providers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=True),
        sa.Column("cordoned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("name", name=op.f("uq_hosts_name")),
    )
    op.create_table(
        "instance_lifecycle_events",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=True),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("from_status", sa.Text(), nullable=True),
        sa.Column("to_status", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("confirmation_method", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("cloud_instance_id", sa.Text(), nullable=True),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_instance_lifecycle_events")),
    )
    op.create_index("ix_events_deployment", "instance_lifecycle_events", ["deployment_id", "seq"], unique=False)
    op.create_index("ix_events_instance", "instance_lifecycle_events", ["instance_id", "seq"], unique=False)
    op.create_index("ix_events_time", "instance_lifecycle_events", ["time"], unique=False)
    op.create_index("ix_events_type", "instance_lifecycle_events", ["event_type", "seq"], unique=False)
    op.create_table(
        "instance_runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("blueprint", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("cloud_instance_id", sa.Text(), nullable=True),
        sa.Column("instance_type", sa.Text(), nullable=True),
        sa.Column("availability_zone", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terminated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("termination_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("launch_duration_seconds", sa.Float(), nullable=True),
        sa.Column("termination_duration_seconds", sa.Float(), nullable=True),
        sa.Column("total_runtime_seconds", sa.Float(), nullable=True),
        sa.Column("termination_reason", sa.Text(), nullable=True),
        sa.Column("confirmation_method", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_instance_runs")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_instance_runs_instance_id")),
    )
    op.create_index("ix_runs_instance", "instance_runs", ["instance_id"], unique=False)
    op.create_index("ix_runs_launched", "instance_runs", ["launched_at"], unique=False)
    op.create_index("ix_runs_name", "instance_runs", ["project", "name"], unique=False)
    op.create_index("ix_runs_terminated", "instance_runs", ["project", "terminated_at", "run_id"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "create",
                "retry",
                "start",
                "stop",
                "restart",
                "modify",
                "update",
                "promote",
                "backup",
                "restore",
                "suspend",
                "unsuspend",
                "maintenance_on",
                "maintenance_off",
                "delete",
                "forget",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("deployment_name", sa.Text(), nullable=False),
        sa.Column("blueprint", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("instance_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "running",
                "succeeded",
                "failed",
                "cancelled",
                name="operation_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("changed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retry_of", sa.Text(), nullable=True),
        sa.Column("pre_empted_by", sa.Text(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("spec", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("plan", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("original_run_id", sa.Text(), nullable=True),
        sa.Column("namespace_id", sa.Text(), nullable=True),
        sa.Column("slow_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idempotency_scope", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("idempotency_fingerprint", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(finished_at is not null) = (status in ('succeeded', 'failed', 'cancelled'))",
            name=op.f("ck_operations_final_has_end"),
        ),
        sa.CheckConstraint(
            "(status = 'failed') <= (error is not null)", name=op.f("ck_operations_failed_has_error")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
    )
    op.create_index(
        "ix_operations_closing", "operations", ["id"], unique=False, postgresql_where=sa.text("phase = 'closing'")
    )
    op.create_index("ix_operations_deployment", "operations", ["deployment_id", "created_at"], unique=False)
    op.create_index(
        "ix_operations_instances", "operations", ["instance_ids"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_operations_page", "operations", ["project", "created_at", "id"], unique=False)
    op.create_index(
        "ix_operations_parked",
        "operations",
        ["parked_until"],
        unique=False,
        postgresql_where=sa.text("parked_until is not null"),
    )
    op.create_index("ix_operations_status", "operations", ["project", "status"], unique=False)
    op.create_index(
        "ix_operations_unfinished",
        "operations",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status in ('pending', 'running')"),
    )
    op.create_index(
        "ix_operations_usual", "operations", ["kind", "blueprint", "provider", "finished_at"], unique=False
    )
    op.create_index(
        "uq_operations_idempotency",
        "operations",
        ["idempotency_scope", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key is not null"),
    )
    op.create_index(
        "uq_operations_one_holder",
        "operations",
        ["deployment_id"],
        unique=True,
        postgresql_where=sa.text("status in ('pending', 'running') and pre_empted_by is null"),
    )
    op.create_table(
        "instances_runtime",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "standalone",
                "primary",
                "replica",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("blueprint", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("labels", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "creating",
                "starting",
                "stopping",
                "restarting",
                "modifying",
                "updating",
                "promoting",
                "backing_up",
                "restoring",
                "deleting",
                "running",
                "stopped",
                "suspended",
                "maintenance",
                "error",
                "terminated",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "provisioning_status",
            sa.Enum(
                "pending",
                "provisioning",
                "completed",
                "failed",
                name="provisioning_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "billing_status",
            sa.Enum(
                "trial",
                "paid",
                "payment_required",
                name="billing_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("provider_state", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column(
            "error_origin",
            sa.Enum(
                "monitor", "operation", name="error_origin", native_enum=False, create_constraint=True, length=32
            ),
            nullable=True,
        ),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("port_fixed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("object_generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("applied_spec", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("db_type", sa.Text(), nullable=True),
        sa.Column("db_server_id", sa.Text(), nullable=True),
        sa.Column("cloud_instance_id", sa.Text(), nullable=True),
        sa.Column("instance_type", sa.Text(), nullable=True),
        sa.Column("availability_zone", sa.Text(), nullable=True),
        sa.Column("launch_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("launch_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("launch_duration_seconds", sa.Float(), nullable=True),
        sa.Column("termination_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("termination_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("termination_duration_seconds", sa.Float(), nullable=True),
        sa.Column("confirmation_method", sa.Text(), nullable=True),
        sa.Column("restarts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'error') <= (error_message is not null)", name=op.f("ck_instances_runtime_error_has_cause")
        ),
        sa.CheckConstraint("status <> 'terminated'", name=op.f("ck_instances_runtime_terminated_has_no_row")),
        sa.CheckConstraint(
            "status not in ('backing_up', 'creating', 'deleting', 'modifying', 'promoting', 'restarting', 'restoring', 'starting', 'stopping', 'updating') or operation_id is not null",
            name=op.f("ck_instances_runtime_in_progress_has_owner"),
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_instances_runtime_deployment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances_runtime")),
        sa.UniqueConstraint("deployment_id", "ordinal", name=op.f("uq_instances_runtime_deployment_id_ordinal")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_instances_runtime_project_name")),
    )
    op.create_index("ix_instances_cloud", "instances_runtime", ["cloud_instance_id"], unique=False)
    op.create_index("ix_instances_deployment", "instances_runtime", ["deployment_id"], unique=False)
    op.create_index("ix_instances_page", "instances_runtime", ["project", "created_at", "id"], unique=False)
    op.create_index("ix_instances_status", "instances_runtime", ["project", "status"], unique=False)
    op.create_index(
        "ix_instances_status_launch", "instances_runtime", ["status", "launch_requested_at"], unique=False
    )
    op.create_index(
        "uq_instances_host_port",
        "instances_runtime",
        ["host_id", "port"],
        unique=True,
        postgresql_where=sa.text("port is not null"),
    )
    op.create_index(
        "uq_instances_one_primary",
        "instances_runtime",
        ["deployment_id"],
        unique=True,
        postgresql_where=sa.text("role = 'primary'"),
    )
    op.create_table(
        "operation_instances",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("instance_name", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("during", sa.Text(), nullable=True),
        sa.Column("done", sa.Text(), nullable=False),
        sa.Column("failed", sa.Text(), nullable=False),
        sa.Column("cancelled", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["operations.id"], name=op.f("fk_operation_instances_operation_id")
        ),
        sa.PrimaryKeyConstraint("operation_id", "instance_id", name=op.f("pk_operation_instances")),
    )
    op.create_table(
        "operation_steps",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "running",
                "done",
                "failed",
                "skipped",
                name="step_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("attempts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_operation_steps_operation_id")),
        sa.PrimaryKeyConstraint("operation_id", "position", name=op.f("pk_operation_steps")),
        sa.UniqueConstraint(
            "operation_id", "name", "instance_id", name=op.f("uq_operation_steps_operation_id_name_instance_id")
        ),
    )
    op.create_table(
        "secrets",
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances_runtime.id"], name=op.f("fk_secrets_instance_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", "name", name=op.f("pk_secrets")),
    )


def downgrade() -> None:
    op.drop_table("secrets")
    op.drop_table("operation_steps")
    op.drop_table("operation_instances")
    op.drop_index(
        "uq_instances_one_primary", table_name="instances_runtime", postgresql_where=sa.text("role = 'primary'")
    )
    op.drop_index(
        "uq_instances_host_port", table_name="instances_runtime", postgresql_where=sa.text("port is not null")
    )
    op.drop_index("ix_instances_status_launch", table_name="instances_runtime")
    op.drop_index("ix_instances_status", table_name="instances_runtime")
    op.drop_index("ix_instances_page", table_name="instances_runtime")
    op.drop_index("ix_instances_deployment", table_name="instances_runtime")
    op.drop_index("ix_instances_cloud", table_name="instances_runtime")
    op.drop_table("instances_runtime")
    op.drop_index(
        "uq_operations_one_holder",
        table_name="operations",
        postgresql_where=sa.text("status in ('pending', 'running') and pre_empted_by is null"),
    )
    op.drop_index(
        "uq_operations_idempotency",
        table_name="operations",
        postgresql_where=sa.text("idempotency_key is not null"),
    )
    op.drop_index("ix_operations_usual", table_name="operations")
    op.drop_index(
        "ix_operations_unfinished",
        table_name="operations",
        postgresql_where=sa.text("status in ('pending', 'running')"),
    )
    op.drop_index("ix_operations_status", table_name="operations")
    op.drop_index(
        "ix_operations_parked", table_name="operations", postgresql_where=sa.text("parked_until is not null")
    )
    op.drop_index("ix_operations_page", table_name="operations")
    op.drop_index("ix_operations_instances", table_name="operations", postgresql_using="gin")
    op.drop_index("ix_operations_deployment", table_name="operations")
    op.drop_index("ix_operations_closing", table_name="operations", postgresql_where=sa.text("phase = 'closing'"))
    op.drop_table("operations")
    op.drop_table("meta")
    op.drop_index("ix_runs_terminated", table_name="instance_runs")
    op.drop_index("ix_runs_name", table_name="instance_runs")
    op.drop_index("ix_runs_launched", table_name="instance_runs")
    op.drop_index("ix_runs_instance", table_name="instance_runs")
    op.drop_table("instance_runs")
    op.drop_index("ix_events_type", table_name="instance_lifecycle_events")
    op.drop_index("ix_events_time", table_name="instance_lifecycle_events")
    op.drop_index("ix_events_instance", table_name="instance_lifecycle_events")
    op.drop_index("ix_events_deployment", table_name="instance_lifecycle_events")
    op.drop_table("instance_lifecycle_events")
    op.drop_table("hosts")
    op.drop_index("ix_deployments_page", table_name="deployments")
    op.drop_table("deployments")
    op.drop_table("confirmations")
    op.execute(sa.schema.DropSequence(sa.Sequence("lifecycle_event_seq")))
