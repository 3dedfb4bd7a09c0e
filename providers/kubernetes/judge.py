"""What the facts of one look mean, in the words of the observation table and in words for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import ProviderErrorKind
from domain.work import Seen
from providers.kubernetes.errors import kind_of
from providers.kubernetes.naming import COMPLETE, STAGE
from providers.kubernetes.resources import Json

_PULL = {"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
_SETUP = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError"}
# Behind the scheduler's reasons stand remarks about preemption and claims that help nobody.
_NOISE = re.compile(r"\s*(no new claims to deallocate|preemption:).*", re.DOTALL)
_NO_SUCH_IMAGE = re.compile(
    r"not found|manifest unknown|does not exist|denied|unauthorized|invalid", re.IGNORECASE
)


@dataclass(frozen=True)
class Judgement:
    """`refusal`: waiting will not mend it. `stuck`: it waits for something outside, perhaps for long."""

    seen: Seen
    state: str
    detail: str | None = None
    refusal: ProviderErrorKind | None = None
    stuck: bool = False


def judge(deployment: Json, pods: Sequence[Json], sets: Sequence[Json]) -> Judgement:
    """`pods`: those that are not over. `sets`: its ReplicaSets; needed only where none is wanted."""
    if "deletionTimestamp" in deployment["metadata"]:
        return Judgement(Seen.TRANSIENT, "Terminating", _ending(pods) or "it is being deleted")
    wanted = deployment["spec"].get("replicas", 1)
    if wanted == 0:
        return _stopped(deployment, pods, sets)
    live = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if not _is_current(deployment):
        return Judgement(Seen.TRANSIENT, "Updating", "the cluster has not taken the change over yet")
    if _is_available(deployment) and any(_ready(pod) for pod in live):
        return Judgement(Seen.UP, "Running")
    if live:
        return _of_pod(max(live, key=lambda pod: str(pod["metadata"]["creationTimestamp"])))
    return _without_pod(deployment, pods)


def state_of(deployment: Json) -> str:
    """What the Deployment alone tells, for listings: up only where `judge` could say so too."""
    status = deployment.get("status") or {}
    if "deletionTimestamp" in deployment["metadata"]:
        return "Terminating"
    if deployment["spec"].get("replicas", 1) == 0:
        return "Stopping" if status.get("replicas") else "Stopped"
    if not _is_current(deployment):
        return "Updating"  # its counts are of the pod that goes
    return "Running" if _is_available(deployment) else "Pending"


def _stopped(deployment: Json, pods: Sequence[Json], sets: Sequence[Json]) -> Judgement:
    if pods:
        return Judgement(Seen.TRANSIENT, "Stopping", _ending(pods))
    if not _is_current(deployment) or any(_may_make_pods(one) for one in sets):
        return Judgement(Seen.TRANSIENT, "Stopping", "the cluster has not taken the change over yet")
    if _annotations(deployment).get(STAGE) != COMPLETE:
        return Judgement(Seen.TRANSIENT, "Incomplete", "its create was interrupted before its pod could start")
    return Judgement(Seen.DOWN, "Stopped")


def _of_pod(pod: Json) -> Judgement:
    """Why a pod that exists is not ready."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        found = _of_container(container)
        if found is not None:
            return found
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        words = _NOISE.sub("", str(scheduled.get("message") or "")) or "no node can take its pod"
        return Judgement(Seen.TRANSIENT, "Pending", words, stuck=scheduled.get("reason") == "Unschedulable")
    if status.get("phase") == "Running":
        return Judgement(Seen.TRANSIENT, "Starting", "its pod runs and is not ready yet")
    return Judgement(Seen.TRANSIENT, "Pending", "its pod is being prepared")


def _of_container(container: Json) -> Judgement | None:
    waiting = container.get("state", {}).get("waiting") or {}
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if reason in _PULL:
        refused = ProviderErrorKind.INVALID if _NO_SUCH_IMAGE.search(f"{message} {reason}") else None
        words = f"the image {container['image']} cannot be pulled ({reason}): {message or 'no reason given'}"
        return Judgement(Seen.TRANSIENT, reason, words, refused)
    last = container.get("lastState", {}).get("terminated") or {}
    if reason == "CrashLoopBackOff":
        words = (
            f"its container ends again and again, last with {_exit(last)}, {container['restartCount']} restarts"
        )
        return Judgement(Seen.CRASHED, reason, words)
    if reason in _SETUP:
        return Judgement(Seen.TRANSIENT, reason, f"its container cannot be made ({reason}): {message}")
    ended = container.get("state", {}).get("terminated")
    if ended:
        return Judgement(Seen.TRANSIENT, "Restarting", f"its container ended with {_exit(ended)}")
    return None


def _without_pod(deployment: Json, pods: Sequence[Json]) -> Judgement:
    failure = _condition(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        message = str(failure.get("message") or failure.get("reason"))
        kind = kind_of(403, message) if "forbidden" in message else None
        refused = kind if kind in {ProviderErrorKind.QUOTA, ProviderErrorKind.INVALID} else None
        return Judgement(Seen.TRANSIENT, "Pending", f"its pod is refused: {message}", refused)
    if pods:
        return Judgement(Seen.TRANSIENT, "Restarting", _ending(pods))
    return Judgement(Seen.TRANSIENT, "Pending", "its pod is not there yet")


def _is_current(deployment: Json) -> bool:
    observed = (deployment.get("status") or {}).get("observedGeneration", 0)
    return bool(observed >= deployment["metadata"]["generation"])


def _is_available(deployment: Json) -> bool:
    status = deployment.get("status") or {}
    updated = status.get("updatedReplicas", 0)
    return bool(status.get("availableReplicas", 0) >= 1 and updated >= 1 and updated == status.get("replicas", 0))


def _may_make_pods(replica_set: Json) -> bool:
    status = replica_set.get("status") or {}
    settled = status.get("observedGeneration", 0) >= replica_set["metadata"]["generation"]
    return bool(replica_set["spec"].get("replicas", 0) or status.get("replicas", 0) or not settled)


def _ready(pod: Json) -> bool:
    return bool(_condition(pod, "Ready").get("status") == "True")


def _condition(found: Json, kind: str) -> Json:
    conditions: list[Json] = (found.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def _annotations(found: Json) -> dict[str, Any]:
    return found["metadata"].get("annotations") or {}


def _ending(pods: Sequence[Json]) -> str | None:
    """Which pods still end, and where."""
    if not pods:
        return None
    where = [
        f"{pod['metadata']['name']} on {pod['spec'].get('nodeName') or 'no node'}"
        + (" (its node does not answer)" if (pod.get("status") or {}).get("reason") == "NodeLost" else "")
        for pod in pods
    ]
    return f"waiting for its pod to end: {', '.join(where)}"


def _exit(terminated: Json) -> str:
    code, reason = terminated.get("exitCode"), terminated.get("reason")
    if code is None:
        return "an unknown exit code"
    return f"exit code {code}" + (f" ({reason})" if reason and reason != "Error" else "")
