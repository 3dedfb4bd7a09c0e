"""What a launch asks of EC2: checked against the configuration, the same for every repeat of it.

No user data, no text of a user outside tags; metadata only with a token and from the machine itself; disks
encrypted and gone with the machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import MachineRecipe, Work
from providers.ec2.images import Images
from providers.ec2.options import Options
from providers.ec2.tags import as_list, tags_of


def recipe_of(work: Work) -> MachineRecipe:
    if work.recipes is None:
        raise ProviderError(ProviderErrorKind.INVALID, f"{work.name} has no recipe for a machine")
    return work.recipes.machine_recipe(work)


def allowed_type(recipe: MachineRecipe, options: Options) -> str:
    _within("instance type", recipe.instance_type, options.instance_types, "INSTANCE_TYPES")
    return recipe.instance_type


def zones_of(recipe: MachineRecipe, options: Options) -> Sequence[str | None]:
    """In the order in which they are tried; `[None]`: EC2 chooses."""
    for zone in recipe.zones:
        _within("zone", zone, options.zone_order, "ZONES")
    return recipe.zones or options.zone_order or (None,)


def launch_request(
    work: Work, recipe: MachineRecipe, zone: str | None, options: Options, images: Images
) -> dict[str, Any]:
    image = recipe.image or options.image
    if image is None:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{work.name} names no image, and there is no default: set BERTH_EC2_IMAGE for the worker of ec2 and "
            "retry, or delete it and create it again with the parameter image_id",
        )
    tags = as_list(tags_of(work))
    request: dict[str, Any] = {
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": image,
        "InstanceType": allowed_type(recipe, options),
        "BlockDeviceMappings": images.disks(image, work.resources.disk_gb or options.disk_gb),
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "InstanceInitiatedShutdownBehavior": "stop",
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }
    if zone is not None:
        request["Placement"] = {"AvailabilityZone": zone}
        if zone in options.subnets:
            request["SubnetId"] = options.subnets[zone]
    if options.security_groups:
        request["SecurityGroupIds"] = list(options.security_groups)
    if options.key_name:
        request["KeyName"] = options.key_name
    if options.instance_profile:
        field = "Arn" if options.instance_profile.startswith("arn:") else "Name"
        request["IamInstanceProfile"] = {field: options.instance_profile}
    return request


def client_token(work: Work, zone: str | None, request: dict[str, Any] | None = None) -> str:
    """The same for every attempt of this generation in this zone. With `request`, for this very request alone."""
    identity = work.identity
    parts = [identity.server_id, identity.instance_id, str(identity.generation), zone or ""]
    if request is not None:
        parts.append(json.dumps(request, sort_keys=True))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _within(what: str, value: str, allowed: Sequence[str], variable: str) -> None:
    if allowed and value not in allowed:
        raise ProviderError(
            ProviderErrorKind.INVALID,
            f"{what} {value!r} is not allowed; allowed (BERTH_EC2_{variable}): {', '.join(allowed)}",
        )
