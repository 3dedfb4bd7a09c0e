"""Requests, each checked on the spot: what is refused changed nothing, what is accepted was shown as allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from sqlalchemy import Row

from tests.machine.invariants import Watch
from tests.machine.sight import UNFINISHED, Sight
from tests.machine.world import World

ACCEPTED, REFUSED, GONE, STALE = 202, 409, 404, 412
_OF_ALL = {"suspend", "unsuspend"}
"""A hold is the deployment's, whichever member was named."""


@dataclass(frozen=True)
class Post:
    """One change that may be asked for: of a deployment, or of one of its members (counted round)."""

    action: str
    member: int | None = None


@dataclass
class Asking:
    """The voice of one example."""

    world: World
    watch: Watch
    said: list[str] = field(default_factory=list)
    """What was asked and answered, for the report of a failure."""

    # --- the deployment that a request is about

    def living(self, name: str) -> dict[str, Any] | None:
        """The deployment as the API shows it; None when there is none."""
        answer = self.world.api.ask("GET", f"/deployments/{name}")
        assert answer.status_code in {200, GONE}, answer.text
        return dict(answer.json()) if answer.status_code == 200 else None

    def held(self, name: str) -> bool:
        """Whether an operation holds the deployment now."""
        form = self.living(name)
        return form is not None and form["current_operation"] is not None

    def see(self) -> Sight:
        return self.world.look(self.watch.deployments)

    # --- asking

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        answer = self.world.api.ask(method, path, body, **headers)
        self.note(f"{method} {path} {body or ''} {headers or ''}", answer)
        assert answer.status_code in {ACCEPTED, REFUSED, GONE, STALE}, f"{method} {path}: {answer.text}"
        return answer

    def note(self, asked: str, answer: httpx2.Response) -> None:
        operation = answer.json().get("operation") or {}
        told = operation.get("id") if answer.status_code == ACCEPTED else answer.json().get("detail")
        self.said.append(f"{asked} → {answer.status_code} {told}")
        self.world.answers[answer.status_code] += 1
        if answer.status_code == ACCEPTED:
            self.watch.deployments.add(operation["deployment_id"])

    def unchanged(self, before: Sight, deployment_id: str) -> None:
        """A refusal left no trace. (The deployment may have gone meanwhile, by an earlier delete.)"""
        after = self.see()
        made = after.asked_since(before, deployment_id)
        assert not made, f"a refused request was accepted: {made}"
        if deployment_id in after.deployments:
            traces = [sight.footprint(deployment_id, before) for sight in (before, after)]
            assert traces[0] == traces[1], "a refused request changed something"

    def checked(
        self, before: Sight, deployment_id: str, request: Callable[[], httpx2.Response]
    ) -> httpx2.Response:
        """Send it; a refusal must have changed nothing since `before`."""
        answer = request()
        if answer.status_code != ACCEPTED:
            self.unchanged(before, deployment_id)
        if answer.status_code == GONE:
            assert before.unfinished, f"it was there, and nothing was removing it: {answer.text}"
        return answer

    # --- actions, and what allowed_actions says of them

    def act(self, name: str, post: Post) -> None:
        """Ask for an action, and compare the answer with what was shown as allowed."""
        before = self.see()
        form = self.living(name)
        if form is None:
            assert self.post(name, None, post).status_code == GONE
            return
        shown = form["instances"]
        one = post.member is not None and post.action not in _OF_ALL
        members = [shown[(post.member or 0) % len(shown)]] if one else shown
        answer = self.checked(before, form["id"], lambda: self.post(name, form, post))
        allowed = any(_enabled(member, post.action) for member in members)
        if answer.status_code == ACCEPTED:
            operation = answer.json()["operation"]
            if not allowed:
                self._accepted_all_the_same(before, members, post, operation)
        elif allowed and answer.status_code != GONE:
            self._refused_all_the_same(before, name, members, post, answer)

    def post(self, name: str, form: dict[str, Any] | None, post: Post, **headers: str) -> httpx2.Response:
        """The request itself. Delete is asked as DELETE, everything else as an action."""
        if form is None or post.member is None:
            path = f"/deployments/{name}"
        else:
            path = f"/instances/{form['instances'][post.member % len(form['instances'])]['id']}"
        if post.action == "delete":
            return self.ask("DELETE", path, **headers)
        return self.ask("POST", f"{path}/actions", {"action": post.action}, **headers)

    def _accepted_all_the_same(
        self, before: Sight, members: list[dict[str, Any]], post: Post, operation: dict[str, Any]
    ) -> None:
        """Right only if what was in flight when we looked had ended before, or a delete was asked again."""
        deployment_id = operation["deployment_id"]
        now = self.see()
        holding = [row for row in before.of(deployment_id) if row.status in UNFINISHED]
        holding += now.own_since(before, deployment_id)
        if post.action == "delete" and operation["id"] in {row.id for row in holding}:
            return
        created = now.operations[operation["id"]].created_at
        ends = [now.operations[row.id].finished_at for row in holding]
        over = [end for end in ends if end is not None and end <= created]
        assert holding, f"{post} was accepted, though it was shown as disabled: {_why(members, post.action)}"
        assert over, f"{post} was accepted while {holding} held"

    def _refused_all_the_same(
        self, before: Sight, name: str, members: list[dict[str, Any]], post: Post, answer: httpx2.Response
    ) -> None:
        """Right only if the instance has changed since we looked, or Berth has worked on its deployment."""
        again = self.living(name)
        if again and self.see().own_since(before, again["id"]):
            return
        shown = {m["id"]: m for m in again["instances"]} if again else {}
        for member in members:
            now = shown.get(member["id"])
            same = now is not None and now["version"] == member["version"]
            still = _enabled(member, post.action) and now is not None and _enabled(now, post.action)
            assert not (same and still), f"{post} is shown as allowed, but refused: {answer.text}"

    # --- the same at once

    def at_once(self, requests: Sequence[Callable[[], httpx2.Response]]) -> list[httpx2.Response]:
        """Send them together; returns the answers in their order."""
        answers: list[httpx2.Response | None] = [None] * len(requests)
        ready = threading.Barrier(len(requests))

        def send(number: int) -> None:
            ready.wait(60)
            answers[number] = requests[number]()

        threads = [threading.Thread(target=send, args=(number,)) for number in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        found = [answer for answer in answers if answer is not None]
        assert len(found) == len(requests), "a request got no proper answer"
        return found


def _enabled(member: dict[str, Any], action: str) -> bool:
    return any(row["action"] == action and row["enabled"] for row in member["allowed_actions"])


def _why(members: list[dict[str, Any]], action: str) -> list[object]:
    rows = [row for member in members for row in member["allowed_actions"] if row["action"] == action]
    return [(row["enabled"], row.get("reason")) for row in rows]


def latest(sight: Sight, deployment_id: str, statuses: frozenset[str] | None = None) -> Row[Any] | None:
    """The newest operation of a deployment, or the newest in one of `statuses`."""
    rows = [row for row in sight.of(deployment_id) if statuses is None or row.status in statuses]
    return rows[-1] if rows else None
