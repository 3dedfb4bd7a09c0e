"""What the application's own role may do with the records: everything but change the audit trail.

Every migration gives them where the role is (`db.migrate`). Berth's own PostgreSQL has it from the start, and its
API connects as it (`embedded.postgres`); the page on security tells those who bring their own.
"""

from __future__ import annotations

ROLE = "berth_app"
GRANTS = (
    f"grant select, insert, update, delete on all tables in schema public to {ROLE}",
    f"revoke update, delete, truncate on audit from {ROLE}",
    f"grant usage on all sequences in schema public to {ROLE}",
    f"grant execute on function purge_audit(timestamptz, integer) to {ROLE}",
)
MAKE = f"do $$ begin create role {ROLE} login; exception when duplicate_object then null; end $$"
"""No password: who may come as this role is the server's to say."""
