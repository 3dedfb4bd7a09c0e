"""What the machine has found, each as the few requests that it takes."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.machine.world import World

pytestmark = pytest.mark.crash


def done(world: World, answer: httpx2.Response) -> Any:
    """The operation of a 202, once it is over."""
    assert answer.status_code == 202, answer.text
    operation_id = answer.json()["operation"]["id"]
    world.spine.wait_done(operation_id, 60)
    return world.api.get(f"/operations/{operation_id}")


def made(world: World, **params: Any) -> str:
    """The id of an instance that runs."""
    form = world.api.create(params=params)
    world.wait_quiet([form["instance"]["deployment_id"]], 60)
    return str(form["instance"]["id"])


def test_a_modify_from_error_starts_what_is_down(world: World) -> None:
    key = made(world, simulate={"start": {"fault": "invalid"}})
    done(world, world.api.act(key, "stop"))
    assert done(world, world.api.act(key, "start"))["status"] == "failed"

    done(world, world.api.act(key, "modify", params={"params": {"greeting": "two"}}))

    assert (world.file.things()[key].state, world.api.get(f"/instances/{key}")["status"]) == ("running", "running")


def test_a_modify_of_what_is_stopped_leaves_it_stopped(world: World) -> None:
    key = made(world)
    done(world, world.api.act(key, "stop"))

    done(world, world.api.act(key, "modify", params={"params": {"greeting": "two"}}))

    assert (world.file.things()[key].state, world.api.get(f"/instances/{key}")["status"]) == ("stopped", "stopped")


def test_what_vanishes_while_its_start_is_awaited_fails_in_seconds(world: World) -> None:
    key = made(world)
    done(world, world.api.act(key, "stop"))
    world.spine.fault("start", "unconfirmed", seconds=60, instance=key)
    world.spine.fault("observe", "gone", instance=key)

    ended = done(world, world.api.act(key, "start"))

    assert (ended["status"], ended["error"]["code"]) == ("failed", "not-found")
