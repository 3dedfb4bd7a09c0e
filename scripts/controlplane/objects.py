"""What a bare control plane lacks to run pods: nodes, a storage class. For `make kubernetes` and for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from scripts.controlplane.build import SOURCES

_SECONDS = 10


def open_api(kubeconfig: Path) -> client.ApiClient:
    made: client.ApiClient = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
    return made


def add_node(api: client.ApiClient, name: str, cpu: str, memory: str) -> None:
    """A simulated node with this much to give; ready a moment later."""
    has = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "100Gi"}
    body: Any = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {"allocatable": has, "capacity": has},
    }
    client.CoreV1Api(api).create_node(body, _request_timeout=_SECONDS)


def add_storage(api: client.ApiClient) -> None:
    """The default storage class of deploy/controlplane."""
    body: Any = yaml.safe_load((SOURCES / "storage.yaml").read_text())
    client.StorageV1Api(api).create_storage_class(body, _request_timeout=_SECONDS)
