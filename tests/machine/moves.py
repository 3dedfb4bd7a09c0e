"""What may happen next, and how often: the moves that Hypothesis draws for `machine.Machine`.

One rule with weights instead of one rule for each: Hypothesis leaves out half of the rules in each example, and
the few examples that fit into two minutes would then mostly ask nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from providers.simulated_faults import FaultKind, Verb

SLOTS = 3
slots = st.sampled_from([0, 1, 0, 1, 0, 2])
patient = st.booleans()
"""Whether to let earlier operations end first, as somebody does who waits for an answer."""
numbers = st.integers(1, 3)
members = st.sampled_from([0, None, 1, 2])
"""One of the members, counted round, or all."""
greetings = st.sampled_from(["one", "two", "three"])
kinds = st.sampled_from(list(FaultKind))
times = st.integers(1, 2)
seconds = st.sampled_from([0.3, 0.1, 0.8, 1.6])
scripts = st.dictionaries(
    st.sampled_from(["create", "modify", "stop", "delete", "start", "restart"]),
    st.fixed_dictionaries({"fault": kinds.map(str), "times": times, "seconds": seconds}),
    max_size=3,
)
acts = st.sampled_from(
    ["stop", "start", "restart", "retry", "cancel", "maintain", "suspend", "unsuspend", "hold", "hold", "backup"]
)
changes = st.sampled_from(["stop", "start", "restart", "maintain", "hold", "retry", "stop", "start", "delete"])

_FAULT: dict[str, st.SearchStrategy[Any]] = {"kind": kinds, "times": times, "seconds": seconds}
_SPEC: dict[str, st.SearchStrategy[Any]] = {"number": numbers, "greeting": greetings, "script": scripts}
_MOVES: tuple[tuple[int, str, dict[str, st.SearchStrategy[Any]]], ...] = (
    (6, "act", {"slot": slots, "action": acts, "member": members, "patient": patient}),
    (5, "act_in_vain", {"slot": slots, "action": st.sampled_from(["switch", "restart", "hold"]), **_FAULT}),
    (5, "modify", {"slot": slots, **_SPEC, "stale": st.sampled_from([False, False, True]), "patient": patient}),
    (3, "create", {"slot": slots, **_SPEC}),
    (2, "delete", {"slot": slots, "member": members}),
    (2, "cancel", {"slot": slots}),
    (4, "retry", {"slot": slots, "patient": patient}),
    (1, "abort", {"slot": slots}),
    (3, "say_it_twice", {"slot": slots, "change": changes, "member": members, "at_once": st.booleans()}),
    (3, "contradict", {"slot": slots, "first": changes, "second": changes, "member": members}),
    (3, "misbehave", {"slot": slots, "everywhere": st.booleans(), "verb": st.sampled_from(list(Verb)), **_FAULT}),
    (1, "behave", {}),
    (1, "kill_the_worker", {}),
    (1, "end_the_run", {"slot": slots, "how": st.sampled_from(["terminate", "cancel"])}),
    (2, "pass_time", {"seconds": st.sampled_from([0.05, 0.2, 0.6])}),
    (1, "wait_for_the_end", {}),
)


@dataclass(frozen=True)
class Move:
    """A method of the machine and its arguments."""

    name: str
    given: dict[str, Any]


_WEIGHTED = [number for number, (weight, _, _) in enumerate(_MOVES) for _ in range(weight)]
moves = st.sampled_from(_WEIGHTED).flatmap(
    lambda number: st.builds(Move, st.just(_MOVES[number][1]), st.fixed_dictionaries(_MOVES[number][2]))
)
