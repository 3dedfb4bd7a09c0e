"""Whether an image may be started, and what disks it brings. Asked once in a while, not at every launch."""

from __future__ import annotations

import threading
import time
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from providers.ec2.api import Api
from providers.ec2.options import Options

_KNOWN_SECONDS = 300.0


class Images:
    def __init__(self, api: Api, options: Options) -> None:
        self._api = api
        self._owners = options.image_owners
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def disks(self, image: str, gigabytes: int | None) -> list[dict[str, Any]]:
        """The block devices of a launch: encrypted, gone with the machine, the root one as big as asked."""
        found = self._described(image)
        root = found.get("RootDeviceName")
        return [
            {"DeviceName": one["DeviceName"], "Ebs": self._disk(image, one, root, gigabytes)}
            for one in found.get("BlockDeviceMappings", ())
            if "Ebs" in one
        ]

    def _disk(self, image: str, one: dict[str, Any], root: str | None, wanted: int | None) -> dict[str, Any]:
        least = int(one["Ebs"].get("VolumeSize", 1))
        disk = {"DeleteOnTermination": True, "Encrypted": True, "VolumeType": "gp3", "VolumeSize": least}
        if one["DeviceName"] == root and wanted is not None:
            if wanted < least:
                raise ProviderError(
                    ProviderErrorKind.INVALID,
                    f"the disk of image {image} has {least} GB; disk_gb {wanted} is less than that",
                )
            disk["VolumeSize"] = wanted
        return disk

    def _described(self, image: str) -> dict[str, Any]:
        with self._lock:
            at, found = self._known.get(image, (0.0, {}))
        if not found or time.monotonic() - at > _KNOWN_SECONDS:
            answer = self._api.read("DescribeImages", ImageIds=[image], Owners=list(self._owners))
            found = next(iter(answer.get("Images", ())), {})
            if not found:
                raise ProviderError(
                    ProviderErrorKind.INVALID,
                    f"image {image} does not exist here, or its owner is not allowed; "
                    f"allowed owners (BERTH_EC2_IMAGE_OWNERS): {', '.join(self._owners)}",
                )
            with self._lock:
                self._known[image] = (time.monotonic(), found)
        return found
