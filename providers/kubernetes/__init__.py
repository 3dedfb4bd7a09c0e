"""Instances as Deployments of a Kubernetes cluster. Start at `provider.py`; `naming.py` says whose things are."""

from domain.lifecycle import Operation
from domain.limits import Budget, patient
from domain.work import Form
from providers.base import Provider
from providers.entry import ProviderEntry, Setup, importing

__all__ = ["ENTRY"]


def _open(setup: Setup) -> Provider:
    with importing:  # it takes half a second
        from providers.kubernetes.connection import connect  # noqa: PLC0415
        from providers.kubernetes.options import Options  # noqa: PLC0415
        from providers.kubernetes.provider import KubernetesProvider  # noqa: PLC0415

    options = Options.of(setup.options)
    return KubernetesProvider(connect(options), options, setup.server_id, setup.verify)


ENTRY = ProviderEntry(
    "kubernetes",
    "Kubernetes",
    "One Deployment per instance, with its Service, volumes and Secret, in a namespace per project.",
    Form.CONTAINER,
    on_host=False,
    open=_open,
    budgets=patient({Operation.CREATE: Budget(30, 600, 300), Operation.DELETE: Budget(60, 900, 600)}),
)
