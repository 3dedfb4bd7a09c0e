"""A virtual machine: instance type, availability zone and image. What runs inside is its owner's business."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from blueprints.base import BlueprintBase, Parameters
from blueprints.kinds import RESTART
from domain.work import Form, MachineRecipe, Work


class MachineParameters(Parameters):
    instance_type: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}\.[a-z0-9-]{1,31}$",
        description="Size, such as t3.micro; a running machine is restarted for another one",
        json_schema_extra=RESTART,
    )
    availability_zone: str | None = Field(
        None,
        pattern=r"^[a-z]{2,4}(-[a-z0-9]{1,16}){2,5}$",
        description="Zone, such as us-east-1a; tried as configured when absent; fixed for life",
    )
    image_id: str | None = Field(
        None,
        pattern=r"^ami-([0-9a-f]{8}|[0-9a-f]{17})$",
        description="Machine image; as configured when absent; fixed for life",
    )


class MachineBlueprint(BlueprintBase):
    name: ClassVar[str] = "vm"
    title: ClassVar[str] = "Virtual machine"
    description: ClassVar[str] = "A virtual machine of a cloud."
    parameters: ClassVar[type[Parameters]] = MachineParameters
    max_members: ClassVar[int] = 10
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MACHINE})
    fixed: ClassVar[frozenset[str]] = frozenset({"availability_zone", "image_id"})

    def machine_recipe(self, work: Work) -> MachineRecipe:
        zone = work.params.get("availability_zone")
        return MachineRecipe(
            instance_type=work.params["instance_type"],
            zones=() if zone is None else (zone,),
            image=work.params.get("image_id"),
        )

    def probe(self, work: Work, timeout_seconds: float) -> None:
        """Its provider's own checks say whether it is ready; Berth has no door into it."""
