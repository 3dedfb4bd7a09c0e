"""The YAML form of a deployment: what `get -o yaml` prints and `apply -f` takes back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.errors import UsageProblem
from cli.values import merge_patch

API_VERSION = "berth/v1"
KIND = "Deployment"
IDENTITY = ("name", "blueprint", "provider")
CHANGEABLE = ("params", "resources", "members", "labels", "restart_policy")
FIXED = ("timeouts", "database")
KEYS = ("apiVersion", "kind", *IDENTITY, *CHANGEABLE, *FIXED)

Document = dict[str, Any]


def from_deployment(deployment: Mapping[str, Any]) -> Document:
    """What `deployment` should be, without what it happens to be."""
    spec = {**_mapping(deployment.get("spec")), **{k: deployment[k] for k in KEYS if k in deployment}}
    document: Document = {"apiVersion": API_VERSION, "kind": KIND}
    for key in (*IDENTITY, *CHANGEABLE, *FIXED):
        value = spec.get(key)
        if isinstance(value, Mapping):
            value = {k: v for k, v in value.items() if v is not None}
        if value is not None:
            document[key] = value
    return document


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def load(path: str) -> Document:
    """The document in a file, or on standard input for `-`. Refuses what it does not know, by name."""
    import yaml

    try:
        raw = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        documents = [d for d in yaml.safe_load_all(raw) if d is not None]
    except OSError as error:
        raise UsageProblem(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageProblem(f"{path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise UsageProblem(f"{path} is not YAML.", detail=str(error).replace("\n", " ")) from None
    if len(documents) != 1:
        raise UsageProblem(f"{path} holds {len(documents)} documents; it must hold exactly one.")
    return _checked(path, documents[0])


def _checked(path: str, document: Any) -> Document:
    if not isinstance(document, dict):
        raise UsageProblem(f"{path} holds no mapping.", detail=f"Its keys are: {', '.join(KEYS)}.")
    unknown = [str(key) for key in document if key not in KEYS]
    if unknown:
        raise UsageProblem(f"{path}: unknown key {', '.join(unknown)}.", detail=f"Allowed: {', '.join(KEYS)}.")
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if document.get(key) != expected:
            raise UsageProblem(f"{path}: {key} must be {expected}, not {document.get(key)!r}.")
    for key in ("name", "blueprint"):
        if not isinstance(document.get(key), str):
            raise UsageProblem(f"{path}: {key} must be given as text.")
    for key in ("params", "resources", "labels", "timeouts", "database"):
        if not isinstance(document.get(key, {}), dict):
            raise UsageProblem(f"{path}: {key} must be a mapping.")
    return document


def create_body(document: Document) -> dict[str, Any]:
    """The request that makes what the document describes."""
    return {key: document[key] for key in (*IDENTITY, *CHANGEABLE, *FIXED) if key in document}


def changes(deployment: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """The merge patch from the deployment to the document. What the document leaves out at its top level stays."""
    current = from_deployment(deployment)
    for key in (*IDENTITY, *FIXED):
        if key in document and document[key] != current.get(key):
            raise UsageProblem(
                f"{key} of {document['name']} cannot change from {current.get(key)!r} to {document[key]!r}.",
                detail=f"What can change: {', '.join(CHANGEABLE)}. Delete it and create it anew for the rest.",
            )
    wanted = {key: document[key] for key in CHANGEABLE if key in document}
    return merge_patch({key: current[key] for key in wanted if key in current}, wanted)
