"""Whose an object is: foreign generations, forged signatures, planted links, strays, and the inventory."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import ProviderError
from domain.help import help_for
from domain.work import Seen
from providers.process.refusals import DataLost
from tests.support.calls import RecordingCall
from tests.support.instances import Workshop
from tests.support.workers import wait_for
from tests.support.works import signed

pytestmark = pytest.mark.processes


def test_another_generation_is_foreign_and_left_alone(workshop: Workshop) -> None:
    old = workshop.work()
    pid = workshop.create(old)
    new = replace(old, identity=signed(replace(old.identity, generation=2)))
    assert workshop.provider.observe(new).seen is Seen.FOREIGN
    for verb in ("create", "start", "stop", "restart", "modify"):
        with pytest.raises(ProviderError, match="left untouched"):
            getattr(workshop.provider, verb)(new, RecordingCall())
    assert workshop.pids(old) == [pid]
    assert workshop.provider.delete(new, RecordingCall()).confirmed
    assert workshop.pids(old) == []


def test_a_link_in_the_place_of_a_home_is_never_followed(workshop: Workshop, tmp_path: Path) -> None:
    work = workshop.work()
    workshop.create(work)
    workshop.provider.delete(work, RecordingCall())
    (tmp_path / "precious").write_text("x")
    (workshop.root / work.instance_id).symlink_to(tmp_path)
    assert workshop.provider.observe(work).seen is Seen.FOREIGN
    for verb in ("create", "start", "delete"):
        with pytest.raises(ProviderError, match="not a directory of ours"):
            getattr(workshop.provider, verb)(work, RecordingCall())
    assert (tmp_path / "precious").read_text() == "x"


@pytest.mark.parametrize("instance_id", ["../etc", "ins_/x", "", ".locks", "INS_A"])
def test_an_id_that_is_no_id_reaches_no_path(workshop: Workshop, instance_id: str) -> None:
    with pytest.raises(ProviderError, match="not an instance id"):
        workshop.provider.create(workshop.work(instance_id=instance_id), RecordingCall())


def test_a_half_removed_home_is_rubbish_that_delete_and_create_finish(workshop: Workshop) -> None:
    work = workshop.work()
    workshop.create(work)
    workshop.provider.stop(work, RecordingCall())
    home, rubbish = workshop.root / work.instance_id, workshop.root / f".deleting-{work.instance_id}"
    home.rename(rubbish)
    (item,) = workshop.provider.inventory()
    assert (item.state, item.owned) == ("deleting", True)
    assert workshop.provider.observe(work).seen is Seen.ABSENT
    workshop.provider.delete(work, RecordingCall())
    assert not rubbish.exists()


def test_the_inventory_tells_ours_from_others(workshop: Workshop) -> None:
    ours = workshop.work()
    pid = workshop.create(ours)
    forged = workshop.work()
    forged = replace(forged, identity=replace(forged.identity, signature="00"))
    workshop.provider.create(forged, RecordingCall())
    items = {item.instance_id: item for item in workshop.provider.inventory()}
    assert items[ours.instance_id].owned
    assert items[ours.instance_id].pid == pid
    assert items[ours.instance_id].data_dir == str(workshop.root / ours.instance_id / "data")
    assert not items[forged.instance_id].owned
    with pytest.raises(ProviderError, match="not signed"):
        workshop.provider.remove(items[forged.instance_id].provider_id, RecordingCall())
    workshop.provider.remove(items[ours.instance_id].provider_id, RecordingCall())
    assert workshop.pids(ours) == []
    assert workshop.provider.observe(ours).seen is Seen.ABSENT


@pytest.mark.parametrize("lost", [".", "data"], ids=["its whole directory", "the data in it"])
def test_lost_data_is_said_as_what_it_is_until_it_is_put_back_or_deleted(workshop: Workshop, lost: str) -> None:
    work = workshop.work("postgres")
    os.kill(workshop.create(work), signal.SIGKILL)
    gone, elsewhere = workshop.root / work.instance_id / lost, workshop.base / "elsewhere"
    wait_for(lambda: workshop.pids(work) == [], 20, "it runs")
    gone.rename(elsewhere)
    assert workshop.provider.observe(work).seen is (Seen.ABSENT if lost == "." else Seen.DOWN)
    for verb in ("start", "restart"):
        with pytest.raises(DataLost, match=r"no directory .*removed outside Berth") as refused:
            getattr(workshop.provider, verb)(work, RecordingCall())
        assert (refused.value.code, refused.value.retryable) == ("data-lost", False)
        assert help_for(refused.value.code).helps.startswith("Delete the instance")
    elsewhere.rename(gone)
    workshop.provider.start(work, RecordingCall())
    workshop.ready(work)
    workshop.provider.stop(work, RecordingCall())
    gone.rename(elsewhere)
    assert workshop.provider.delete(work, RecordingCall()).confirmed
    assert workshop.provider.inventory() == []


def test_a_process_whose_home_is_gone_is_a_stray_that_can_be_removed(workshop: Workshop) -> None:
    work = workshop.work()
    pid = workshop.create(work)
    (workshop.root / work.instance_id).rename(workshop.base / "elsewhere")
    (item,) = workshop.provider.inventory()
    assert (item.state, item.pid, item.owned) == ("stray", pid, True)
    workshop.provider.remove(item.provider_id, RecordingCall())
    assert workshop.pids(work) == []
