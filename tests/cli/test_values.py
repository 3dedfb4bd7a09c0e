"""What the words of the command line mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import values
from cli.errors import UsageProblem

pytestmark = pytest.mark.unit


def test_set_builds_a_tree_of_json_or_text() -> None:
    words = [
        "version=16",
        "name=app",
        "simulate.create.fault=error",
        "flags=[1,2]",
        "on=true",
        "zip=0123",
        "none=",
    ]
    assert values.settings_tree(words) == {
        "version": 16,
        "name": "app",
        "simulate": {"create": {"fault": "error"}},
        "flags": [1, 2],
        "on": True,
        "zip": "0123",
        "none": "",
    }


@pytest.mark.parametrize("word", ["novalue", "=1", "a..b=1", ".a=1", "a.=1"])
def test_a_set_that_is_not_key_and_value_is_named(word: str) -> None:
    with pytest.raises(UsageProblem, match="not KEY=VALUE"):
        values.settings_tree([word])


@pytest.mark.parametrize("words", [["a=1", "a.b=2"], ["a.b=2", "a=1"]])
def test_sets_that_contradict_each_other_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageProblem, match="contradicts"):
        values.settings_tree(words)


def test_numbers_that_json_does_not_know_stay_text() -> None:
    assert values.settings_tree(["a=NaN"]) == {"a": "NaN"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("500ms", 0.5), ("1.5s", 1.5), ("5m", 300), ("2h", 7200)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert values.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 days", "-1", "1m30"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(UsageProblem, match="not a duration"):
        values.seconds(text)


_leaves = st.one_of(st.integers(0, 3), st.sampled_from(["", "x"]), st.just([1]))
_keys = st.sampled_from("abc")
_trees = st.recursive(_leaves, lambda inner: st.dictionaries(_keys, inner))
_objects = st.dictionaries(_keys, _trees)


def _apply(target: object, patch: object) -> object:
    """RFC 7396, as written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _apply(result.get(key), value)
    return result


@given(_objects, _objects)
def test_the_merge_patch_turns_one_object_into_the_other(
    current: dict[str, object], wanted: dict[str, object]
) -> None:
    assert _apply(current, values.merge_patch(current, wanted)) == wanted


@given(_objects)
def test_the_merge_patch_to_itself_is_empty(current: dict[str, object]) -> None:
    assert values.merge_patch(current, current) == {}
