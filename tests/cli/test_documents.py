"""The YAML document: printed, taken back, refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cli import documents
from cli.errors import UsageProblem
from tests.cli.canned import deployment

pytestmark = pytest.mark.unit


def _write(path: Path, document: object) -> str:
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return str(path)


def test_what_get_prints_changes_nothing_when_applied(tmp_path: Path) -> None:
    printed = documents.from_deployment(deployment())
    assert documents.load(_write(tmp_path / "a.yaml", printed)) == printed
    assert documents.changes(deployment(), printed) == {}


def test_a_document_says_what_should_be_and_not_what_is() -> None:
    assert documents.from_deployment(deployment()) == {
        "apiVersion": "berth/v1",
        "kind": "Deployment",
        "name": "demo",
        "blueprint": "web",
        "provider": "process",
        "params": {"greeting": "hello"},
        "resources": {"cpu": 0.5, "memory_mb": 128},
        "members": 1,
        "labels": {"team": "core"},
        "restart_policy": "never",
    }


def test_what_the_document_no_longer_names_is_taken_away() -> None:
    document = {**documents.from_deployment(deployment()), "labels": {"tier": "gold"}, "members": 3}
    assert documents.changes(deployment(), document) == {"labels": {"team": None, "tier": "gold"}, "members": 3}


def test_a_section_that_the_document_leaves_out_stays() -> None:
    document = {"apiVersion": "berth/v1", "kind": "Deployment", "name": "demo", "blueprint": "web"}
    assert documents.changes(deployment(), document) == {}


def test_what_cannot_change_is_refused_with_what_can() -> None:
    document = {**documents.from_deployment(deployment()), "provider": "docker"}
    with pytest.raises(UsageProblem, match="provider of demo cannot change") as caught:
        documents.changes(deployment(), document)
    assert "params" in caught.value.detail


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replicas": 3, "colour": "red"}, "unknown key replicas, colour"),
        ({"apiVersion": "berth/v9"}, "apiVersion must be berth/v1"),
        ({"kind": "Pod"}, "kind must be Deployment"),
        ({"name": None}, "name must be given"),
        ({"params": [1]}, "params must be a mapping"),
    ],
)
def test_a_document_that_says_something_else_is_refused(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    document = {**documents.from_deployment(deployment()), **change}
    with pytest.raises(UsageProblem, match=says):
        documents.load(_write(tmp_path / "a.yaml", document))


@pytest.mark.parametrize(
    ("content", "says"),
    [("a: [", "is not YAML"), ("", "0 documents"), ("a: 1\n---\nb: 2\n", "2 documents"), ("- 1\n", "no mapping")],
)
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageProblem, match=says):
        documents.load(str(path))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageProblem, match=r"/nowhere\.yaml: No such file"):
        documents.load("/nowhere.yaml")
