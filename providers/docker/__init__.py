"""Instances as containers of this host's Docker Engine. Start reading at `provider.py`."""

from domain.lifecycle import Operation
from domain.limits import Budget, patient
from domain.work import Form
from providers.base import Provider
from providers.entry import ProviderEntry, Setup, importing

__all__ = ["ENTRY"]


def _open(setup: Setup) -> Provider:
    with importing:
        from providers.docker.options import read_options  # noqa: PLC0415
        from providers.docker.provider import DockerProvider  # noqa: PLC0415

    return DockerProvider(read_options(setup.options), server_id=setup.server_id, verify=setup.verify)


ENTRY = ProviderEntry(
    "docker",
    "Docker",
    "Containers of this machine's Docker Engine, with limits, volumes and a network per project.",
    Form.CONTAINER,
    on_host=True,
    open=_open,
    budgets=patient({Operation.CREATE: Budget(120, 600, 300), Operation.DELETE: Budget(90, 300, 30)}),
)
