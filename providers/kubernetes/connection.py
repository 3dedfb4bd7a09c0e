"""Open the cluster's API: the option, else KUBECONFIG or ~/.kube/config, else the pod's own account.

Nothing is asked of the cluster yet: one that is away now may be there when the first verb comes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import kube_config
from kubernetes.config.config_exception import ConfigException

from providers.entry import Unconfigured
from providers.kubernetes.api import Api
from providers.kubernetes.options import Options

_CONNECTIONS = 32
_HOW = (
    "set BERTH_KUBERNETES_KUBECONFIG (or KUBECONFIG) to a kubeconfig file, or run the worker inside the cluster "
    "with a service account"
)


def connect(options: Options) -> Api:
    """The API of the configured cluster, or `Unconfigured`."""
    settings = client.Configuration()
    _load(settings, options)
    # The verbs look again by themselves; a repeated request would hide that the first may have had its effect.
    settings.retries = urllib3.Retry(total=0, redirect=False)
    settings.connection_pool_maxsize = _CONNECTIONS
    return Api(client.ApiClient(settings))


def _load(settings: client.Configuration, options: Options) -> None:
    loader: Any = config
    path = options.kubeconfig or _default_file()
    try:
        if path:
            loader.load_kube_config(
                config_file=path,
                context=options.context or None,
                client_configuration=settings,
                persist_config=False,
            )
        else:
            loader.load_incluster_config(client_configuration=settings)
    except ConfigException as error:
        if not path:
            raise Unconfigured(_HOW) from None
        raise Unconfigured(f"the kubeconfig {path} cannot be used: {_first_line(error)}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Unconfigured(f"the kubeconfig {path} cannot be read: {type(error).__name__}") from None


def _default_file() -> str:
    """KUBECONFIG may name several files; one that exists is enough."""
    named = str(kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
    there = any(Path(part).expanduser().is_file() for part in named.split(":") if part)
    return named if there else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
