"""The objects of one instance, as they are applied. Pure: a recipe goes in, JSON comes out.

Every pod passes the `restricted` pod security standard; no secret value stands anywhere but in the Secret.
"""

from __future__ import annotations

import base64
import math
import signal
from dataclasses import dataclass

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import ContainerRecipe, Work
from providers.kubernetes.naming import (
    COMPLETE,
    DOMAIN,
    PREPARING,
    STAGE,
    Place,
    labels,
    signed_annotations,
    user_annotations,
)
from providers.kubernetes.options import Options
from providers.kubernetes.resources import DEPLOYMENT, Json

CONTAINER = "main"
SECRETS_VERSION = f"{DOMAIN}/secrets-version"
RESTARTED = f"{DOMAIN}/restarted-at"
_DEFAULT_USER = 10001
_DEFAULT_DISK_GB = 1


@dataclass(frozen=True)
class Manifests:
    """Makes the objects of one instance."""

    work: Work
    recipe: ContainerRecipe
    place: Place
    options: Options

    def __post_init__(self) -> None:
        if self.recipe.user == 0:
            raise ProviderError(
                ProviderErrorKind.INVALID,
                f"blueprint {self.work.blueprint} wants to run as root, which no pod of Berth may",
            )

    def preparing(self) -> Json:
        """The Deployment as an owner only: nothing is made of it yet.

        It holds no more than what every later form holds too. It is created, not applied, so that of two creates
        side by side one finds it; and what a create wrote, a later apply cannot take away, only overwrite.
        """
        return {
            "metadata": {
                "name": self.place.name,
                "namespace": self.place.namespace,
                "labels": labels(self.work),
                "annotations": signed_annotations(self.work) | {STAGE: PREPARING},
            },
            "spec": {
                "replicas": 0,
                "paused": True,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": self.place.match_labels},
                "template": {
                    "metadata": {"labels": labels(self.work)},
                    "spec": {"containers": [{"name": CONTAINER, "image": self.recipe.image}]},
                },
            },
        }

    def deployment(self, *, replicas: int, secrets_version: str | None) -> Json:
        body = self._body(self.place.name, None)
        body["metadata"]["annotations"][STAGE] = COMPLETE
        body["spec"] = {
            "replicas": replicas,
            "paused": False,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "Recreate"},  # two pods must never share a volume
            "selector": {"matchLabels": self.place.match_labels},
            "template": {
                "metadata": {
                    "labels": labels(self.work),
                    "annotations": signed_annotations(self.work)
                    | ({SECRETS_VERSION: secrets_version} if secrets_version else {}),
                },
                "spec": self._pod(),
            },
        }
        return body

    def service(self, owner: Json) -> Json | None:
        """The stable inner address; none where nothing is served."""
        if self.recipe.port is None:
            return None
        body = self._body(self.place.name, owner)
        body["spec"] = {
            "type": "ClusterIP",
            "selector": self.place.match_labels,
            "ports": [{"name": "main", "port": self.recipe.port, "targetPort": "main", "protocol": "TCP"}],
        }
        return body

    def claims(self, owner: Json) -> list[Json]:
        size = f"{self.work.resources.disk_gb or _DEFAULT_DISK_GB}Gi"
        made = []
        for volume in self.recipe.volumes:
            body = self._body(self.place.claim(volume), owner)
            body["spec"] = {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
                **({"storageClassName": self.options.storage_class} if self.options.storage_class else {}),
            }
            made.append(body)
        return made

    def secret(self, owner: Json) -> Json | None:
        if not self.recipe.secrets:
            return None
        body = self._body(self.place.name, owner)
        body["type"] = "Opaque"
        body["data"] = {
            name: base64.b64encode(value.encode()).decode() for name, value in self.recipe.secrets.items()
        }
        return body

    def _body(self, name: str, owner: Json | None) -> Json:
        metadata: Json = {
            "name": name,
            "namespace": self.place.namespace,
            "labels": labels(self.work),
            "annotations": signed_annotations(self.work) | user_annotations(self.work.labels),
        }
        if owner is not None:
            metadata["ownerReferences"] = [
                {
                    "apiVersion": DEPLOYMENT.api_version,
                    "kind": DEPLOYMENT.kind,
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "blockOwnerDeletion": True,
                }
            ]
        return {"metadata": metadata}

    def _pod(self) -> Json:
        user = _DEFAULT_USER if self.recipe.user is None else self.recipe.user
        spec: Json = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": max(1, math.ceil(self.recipe.stop_seconds)),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "runAsGroup": user,
                "fsGroup": user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container()],
            "volumes": [
                {"name": volume, "persistentVolumeClaim": {"claimName": self.place.claim(volume)}}
                for volume in self.recipe.volumes
            ],
        }
        if self.options.image_pull_secret:
            spec["imagePullSecrets"] = [{"name": self.options.image_pull_secret}]
        if self.options.node_selector:
            spec["nodeSelector"] = dict(self.options.node_selector)
        if self.recipe.stop_signal != signal.SIGTERM:
            spec["os"] = {"name": "linux"}  # a stop signal of one's own needs it
        return spec

    def _container(self) -> Json:
        recipe = self.recipe
        container: Json = {
            "name": CONTAINER,
            "image": recipe.image,
            "env": self._environment(),
            "volumeMounts": [{"name": volume, "mountPath": str(path)} for volume, path in recipe.volumes.items()],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        if recipe.arguments:
            container["args"] = [literal(one) for one in recipe.arguments]
        limits = self._limits()
        if limits:
            container["resources"] = {"requests": limits, "limits": dict(limits)}
        if recipe.port is not None:
            container["ports"] = [{"name": "main", "containerPort": recipe.port, "protocol": "TCP"}]
            if recipe.health is not None:
                container["readinessProbe"] = self._readiness()
        if recipe.stop_signal != signal.SIGTERM:
            container["lifecycle"] = {"stopSignal": signal.Signals(recipe.stop_signal).name}
        return container

    def _environment(self) -> list[Json]:
        plain: list[Json] = [
            {"name": name, "value": literal(value)} for name, value in self.recipe.environment.items()
        ]
        secret: list[Json] = [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": self.place.name, "key": name}}}
            for name in self.recipe.secrets
        ]
        return plain + secret

    def _limits(self) -> dict[str, str]:
        given = self.work.resources
        limits = {}
        if given.cpu is not None:
            limits["cpu"] = f"{max(1, round(given.cpu * 1000))}m"
        if given.memory_mb is not None:
            limits["memory"] = f"{given.memory_mb}Mi"
        if given.disk_gb is not None and not self.recipe.volumes:
            limits["ephemeral-storage"] = f"{given.disk_gb}Gi"
        return limits

    def _readiness(self) -> Json:
        health = self.recipe.health
        assert health is not None
        how: Json = (
            {"httpGet": {"path": health.path, "port": "main"}}
            if health.kind == "http"
            else {"tcpSocket": {"port": "main"}}
        )
        return how | {"periodSeconds": 2, "timeoutSeconds": 3, "failureThreshold": 3}


def literal(text: str) -> str:
    """For a value or an argument that is meant as it stands: the cluster would put variables into `$(NAME)`."""
    return text.replace("$", "$$")
