"""Instances as plain processes of this host. Start reading at `provider.py`; `locks.py` says why it is safe."""

from domain.lifecycle import Operation
from domain.limits import Budget
from domain.work import Form
from providers.base import Provider
from providers.entry import ProviderEntry, Setup, Unconfigured
from providers.process.provider import ProcessProvider
from system.processes import is_supported

__all__ = ["ENTRY", "ProcessProvider"]


def _open(setup: Setup) -> Provider:
    if not is_supported():
        raise Unconfigured("processes need Linux with /proc and pidfds: kernel 5.3 or newer")
    return ProcessProvider(
        root=setup.instance_root,
        runtime_root=setup.instance_root.parent / "runtime",
        server_id=setup.server_id,
        host_id=setup.host_id,
        verify=setup.verify,
    )


ENTRY = ProviderEntry(
    "process",
    "Process",
    "Plain operating-system processes of this machine. CPU, memory and disk limits are recorded, not enforced.",
    Form.PROCESS,
    on_host=True,
    open=_open,
    budgets={Operation.CREATE: Budget(90, 300, 30), Operation.DELETE: Budget(60, 300, 30)},
)
