"""A container that was removed outside Berth: what its volumes still hold comes back with a new one."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from domain.errors import ProviderError, ProviderErrorKind
from domain.work import Work
from providers.docker.labels import SIGNATURE
from tests.support.docker_instances import Dock, a_web, with_recipe

pytestmark = [pytest.mark.processes, pytest.mark.docker]
DATA = {"data": PurePosixPath("/data")}


def lost(dock: Dock) -> Work:
    """Its container was removed by hand; its volume holds a file."""
    work = dock.created(a_web(volumes=DATA))
    dock.execute(work, "sh", "-c", "echo kept > /data/file")
    dock.container(work).remove(force=True)
    return work


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_start_or_restart_makes_the_container_anew_around_the_data(dock: Dock, verb: str) -> None:
    work = lost(dock)
    outcome = getattr(dock.provider, verb)(work, dock.call)
    assert (outcome.provider_state, outcome.port) == ("running", work.port)
    assert dock.execute(work, "cat", "/data/file") == "kept"
    assert getattr(dock.provider, verb)(work, dock.call).provider_id == outcome.provider_id
    assert (len(dock.containers(work)), len(dock.volumes(work))) == (1, 1)


def test_a_change_makes_the_container_anew_and_leaves_the_start_to_who_asked(dock: Dock) -> None:
    work = with_recipe(lost(dock), environment={"A": "b"})
    assert dock.provider.modify(work, dock.call).provider_state == "created"
    dock.provider.start(work, dock.call)
    assert dock.execute(work, "sh", "-c", "echo $A; cat /data/file") == "b\nkept"


@pytest.mark.parametrize("verb", ["start", "restart", "modify"])
def test_where_nothing_is_left_or_not_all_of_it_no_empty_one_is_made(dock: Dock, verb: str) -> None:
    bare, emptied = dock.created(), lost(dock)
    partly = with_recipe(lost(dock), volumes={**DATA, "more": PurePosixPath("/more")})
    dock.container(bare).remove(force=True)
    dock.client.volumes.get(dock.volumes(emptied)[0]).remove()
    for work in (bare, emptied, partly):
        with pytest.raises(ProviderError, match="was removed outside Berth") as gone:
            getattr(dock.provider, verb)(work, dock.call)
        assert gone.value.kind is ProviderErrorKind.NOT_FOUND
        assert dock.containers(work) == []
    assert dock.volumes(partly)[0] in gone.value.message


def test_a_volume_that_is_not_signed_brings_nothing_back(dock: Dock) -> None:
    work = lost(dock)
    (name,) = dock.volumes(work)
    labels = dock.client.volumes.get(name).attrs["Labels"]
    dock.client.volumes.get(name).remove()
    dock.client.volumes.create(name, labels={**labels, SIGNATURE: "forged"})
    with pytest.raises(ProviderError) as gone:
        dock.provider.start(work, dock.call)
    assert gone.value.kind is ProviderErrorKind.NOT_FOUND
    assert dock.containers(work) == []


def test_a_stop_of_what_is_gone_says_that_a_start_brings_it_back(dock: Dock) -> None:
    work = lost(dock)
    with pytest.raises(ProviderError, match="a start makes the container anew") as gone:
        dock.provider.stop(work, dock.call)
    assert gone.value.kind is ProviderErrorKind.NOT_FOUND
    assert dock.volumes(work)[0] in gone.value.message
