"""What an installation may say about its cluster: the `BERTH_KUBERNETES_*` variables, read when it is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from providers.entry import Unconfigured

_PREFIX = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")


@dataclass(frozen=True)
class Options:
    """`node_selector` and `quota` are written `key=value,key=value`.

    `quota`: the hard limits of the ResourceQuota that every namespace made here gets, as Kubernetes names them
    (`limits.cpu=8,limits.memory=16Gi`).
    """

    kubeconfig: str = ""
    context: str = ""
    namespace_prefix: str = "berth"
    storage_class: str = ""
    image_pull_secret: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    quota: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Options:
        known = {one.name for one in fields(cls)}
        for name in given:
            if name not in known:
                raise Unconfigured(
                    f"BERTH_KUBERNETES_{name.upper()} is unknown; there are: "
                    + ", ".join(f"BERTH_KUBERNETES_{one.upper()}" for one in sorted(known))
                )
        prefix = given.get("namespace_prefix", cls.namespace_prefix)
        if _PREFIX.fullmatch(prefix) is None:
            raise Unconfigured(
                "BERTH_KUBERNETES_NAMESPACE_PREFIX must be 1 to 20 of a-z, 0-9 and -, starting with a letter"
            )
        return cls(
            kubeconfig=given.get("kubeconfig", ""),
            context=given.get("context", ""),
            namespace_prefix=prefix,
            storage_class=given.get("storage_class", ""),
            image_pull_secret=given.get("image_pull_secret", ""),
            node_selector=_pairs("NODE_SELECTOR", given.get("node_selector", "")),
            quota=_pairs("QUOTA", given.get("quota", "")),
        )


def _pairs(name: str, text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not key.strip() or not equals for key, equals, _ in pairs):
        raise Unconfigured(f"BERTH_KUBERNETES_{name} must be written key=value,key=value")
    return {key.strip(): value.strip() for key, _, value in pairs}
