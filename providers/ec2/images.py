"""Whether an image may be started, and what disks it brings. Asked once in a while, not at every launch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from providers.ec2.api import Api
from providers.ec2.batches import Batch
from providers.ec2.options import Options

_KNOWN_SECONDS = 300.0
_MOST_VALUES = 200


class Images:
    def __init__(self, api: Api, options: Options) -> None:
        self._api = api
        self._owners = options.image_owners
        self._questions = Batch(self._fetch, _MOST_VALUES)
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
        at, found = self._known.get(image, (0.0, None))
        if found is None or time.monotonic() - at > _KNOWN_SECONDS:
            found = self._questions.ask(image)
            if found is None:
                raise ProviderError(
                    ProviderErrorKind.INVALID,
                    f"image {image} does not exist here, or its owner is not allowed; "
                    f"allowed owners (BERTH_EC2_IMAGE_OWNERS): {', '.join(self._owners)}",
                )
            self._known[image] = (time.monotonic(), found)
        return found

    def _fetch(self, images: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        only = {"Name": "image-id", "Values": list(images)}
        answer = self._api.read("DescribeImages", Filters=[only], Owners=list(self._owners))
        return {one["ImageId"]: one for one in answer.get("Images", ())}
