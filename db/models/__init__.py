"""Every table, CHECK and index. What the database can guarantee, it guarantees.

The migrations build the same tables; a test compares the two.
"""

from db.models.access import ApiToken, AuditEntry, OneTimeCode, OpenStreams, ProjectLimits, RateBucket
from db.models.base import Base
from db.models.fleet import DatabaseAllocation, Deployment, Host, Instance, Meta, Observer, ProviderPlace, Secret
from db.models.history import InstanceRun, LifecycleEvent
from db.models.holds import BillingRecord, Hold, Maintenance, WebhookDelivery
from db.models.operations import Confirmation, OperationInstance, OperationRow, OperationStep
from db.models.sight import Measure, Notification, Pulse, SpanRow

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Base",
    "BillingRecord",
    "Confirmation",
    "DatabaseAllocation",
    "Deployment",
    "Hold",
    "Host",
    "Instance",
    "InstanceRun",
    "LifecycleEvent",
    "Maintenance",
    "Measure",
    "Meta",
    "Notification",
    "Observer",
    "OneTimeCode",
    "OpenStreams",
    "OperationInstance",
    "OperationRow",
    "OperationStep",
    "ProjectLimits",
    "ProviderPlace",
    "Pulse",
    "RateBucket",
    "Secret",
    "SpanRow",
    "WebhookDelivery",
]
