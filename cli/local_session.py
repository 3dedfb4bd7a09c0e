"""What the commands about this machine share: options, settings, and errors that end with an exit code.

They work on files and processes of the data directory, also while nothing runs; the other commands speak HTTP.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from embedded.installation import Installation
    from settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Berth's data directory; beats BERTH_DATA_DIR.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout; progress stays on stderr.")]


@contextmanager
def explained(as_json: bool = False) -> Iterator[None]:
    """Turn an error that knows its cause into one message and its exit code."""
    from pydantic import ValidationError

    from embedded.errors import LocalError
    from system.postgres_runtime import RuntimeMissingError
    from system.users import OsUserError

    try:
        yield
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0])
        _fail(f"{field if field.isupper() else f'BERTH_{field.upper()}'}: {first['msg']}", 2, as_json)
    except LocalError as error:
        _fail(str(error), error.exit_code, as_json)
    except (OsUserError, RuntimeMissingError) as error:
        _fail(str(error), 1, as_json)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", 1, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings_for(data_dir: Path | None) -> Settings:
    """The environment's settings. The flag beats BERTH_DATA_DIR."""
    from settings import Settings

    if data_dir is not None:
        os.environ["BERTH_DATA_DIR"] = str(data_dir)
    return Settings()


def installation_of(settings: Settings) -> Installation:
    from embedded.errors import NotUpError
    from embedded.installation import find_installation

    found = find_installation(settings.data_dir)
    if found is None:
        raise NotUpError(
            f"there is no Berth in {settings.data_dir}: start one with `berth up`, or name its --data-dir"
        )
    return found


def print_json(record: Any) -> None:
    sys.stdout.write(json.dumps(record) + "\n")


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _fail(message: str, code: int, as_json: bool) -> None:
    if as_json:
        sys.stderr.write(json.dumps({"title": message, "detail": "", "exit_code": code}) + "\n")
    else:
        sys.stderr.write(f"error: {message}\n")
    raise typer.Exit(code)
