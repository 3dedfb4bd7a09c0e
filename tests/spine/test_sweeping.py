"""One sweep among objects that do not end, and a provider that cannot be asked: what is said of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from activities import orphans
from activities.orphans import Sweep
from api.asks import _refused
from blueprints.registry import BLUEPRINTS
from db.models import Instance, LifecycleEvent
from domain.work import Call, Work
from providers.simulated import SimulatedProvider
from services.operations.works import load_work
from services.watching.orphans import Spot, Sweeper
from tests.support.api import running_api
from tests.support.calls import RecordingCall
from tests.support.spine import Spine
from tests.support.spines import MakeSpine

pytestmark = pytest.mark.servers


class Stubborn(SimulatedProvider):
    """Accepts every removal; of these it then waits for an end that does not come."""

    never: frozenset[str] = frozenset()

    def remove(self, provider_id: str, call: Call) -> None:
        if provider_id not in self.never:
            super().remove(provider_id, call)
            return
        call.guard()
        call.progress(f"still there: {provider_id}")
        while True:
            call.sleep(0.5)


class Slept:
    """A clock that only sleeping moves: how long the rest takes here decides nothing."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + 0.01


def finished(spine: Spine) -> Work:
    made = spine.create_done()
    with spine.database.begin() as tx:
        row = tx.session.get_one(Instance, spine.instance(made.deployment_id).id)
        work = load_work(tx, spine.vault, spine.server_id, row, row.applied_spec or {})
    work = replace(work, recipes=BLUEPRINTS[work.blueprint])
    spine.succeeded(spine.delete(made.deployment_id))
    spine.provider.create(work, RecordingCall())
    return work


def test_what_does_not_end_holds_up_nobody(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "time", Slept())
    stuck, goes = [f"sim-{finished(spine).instance_id}" for _ in range(2)], f"sim-{finished(spine).instance_id}"
    provider = Stubborn(spine.folder / "simulated.db", spine.server_id, verify=spine._verify)
    provider.never = frozenset(stuck)
    try:
        sweep = Sweep(spine.database, provider, Spot("simulated"), Sweeper("admin", "api", "default"))
        done = sweep.run(dict.fromkeys([*stuck, goes], False))
    finally:
        provider.close()
        for left in stuck:
            spine.provider.remove(left, RecordingCall())
    assert done[goes]["outcome"] == "removed"
    words = f"accepted, not gone yet: still there: {stuck[0]}"
    assert done[stuck[0]] == {"outcome": "removing", "reason": words}
    assert done[stuck[1]]["outcome"] == "removing"
    query = select(LifecycleEvent).where(
        LifecycleEvent.cloud_instance_id == stuck[0], LifecycleEvent.event_type.like("ORPHAN_%")
    )
    told = [event.event_type for event in spine.rows(query)]
    assert told == ["ORPHAN_REMOVE_REQUESTED"], "asked for once, and never called removed"


def test_a_provider_that_cannot_be_reached_is_worth_asking_again(make_spine: MakeSpine, tmp_path: Path) -> None:
    spine = make_spine()
    away = tmp_path / "kubeconfig"
    away.write_text(_KUBECONFIG)
    spine.start_worker(BERTH_KUBERNETES_KUBECONFIG=str(away))
    known = {"TEMPORAL_ADDRESS": spine.temporal.address, "TEMPORAL_NAMESPACE": spine.namespace}
    with running_api(spine.folder, spine.database_url, **known) as api:
        answer = api.ask("GET", "/providers/kubernetes/inventory")
        form = answer.json()
    assert (answer.status_code, form["code"], form["retryable"]) == (503, "unavailable", True), form
    assert "the cluster does not answer" in form["detail"]


@pytest.mark.parametrize(
    ("code", "non_retryable", "said", "shown"),
    [
        ("transient", False, "the cluster does not answer", ("unavailable", "the cluster does not answer")),
        ("provider-swapped", True, "it is another one", ("provider-swapped", "it is another one")),
        ("auth", True, "the credentials have expired", ("auth", "the credentials have expired")),
        ("internal", False, "unexpected KeyError", ("internal", "unexpected KeyError")),
        ("WorkerShutdown", False, "Worker is shutting down", ("unavailable", "nobody answers")),
    ],
)
def test_an_answer_that_failed_keeps_its_meaning(
    code: str, non_retryable: bool, said: str, shown: tuple[str, str]
) -> None:
    refused = _refused(ApplicationError(said, type=code, non_retryable=non_retryable), "nobody answers")
    assert (refused.code, refused.message) == shown


_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: away
clusters: [{name: away, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: none}}]
contexts: [{name: away, context: {cluster: away, user: me}}]
"""
