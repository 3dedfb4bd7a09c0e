"""Instances as virtual machines of EC2. Start reading at `provider.py`; `launching.py`: why none is made twice."""

from domain.lifecycle import Operation
from domain.limits import Budget
from domain.work import Form
from providers.base import Provider
from providers.entry import ProviderEntry, Setup, importing

__all__ = ["ENTRY"]


def _open(setup: Setup) -> Provider:
    with importing:
        from providers.ec2.provider import open_provider  # noqa: PLC0415 - the SDK is loaded where it is used

    return open_provider(setup)


ENTRY = ProviderEntry(
    "ec2",
    "Amazon EC2",
    "Virtual machines of one AWS account and region, or of a cloud that speaks the same API.",
    Form.MACHINE,
    on_host=False,
    open=_open,
    budgets={
        Operation.CREATE: Budget(attempt=60, total=600, slow=300, attempts=0),
        Operation.START: Budget(attempt=60, total=600, slow=300, attempts=0),
        Operation.STOP: Budget(attempt=60, total=600, slow=300, attempts=0),
        Operation.RESTART: Budget(attempt=120, total=900, slow=300, attempts=0),
        Operation.MODIFY: Budget(attempt=120, total=900, slow=300, attempts=0),
        Operation.DELETE: Budget(attempt=60, total=900, slow=600, attempts=0),
    },
)
