"""Find the Temporal program, or get it: the dev server of `berth up` and the tool of operators.

In this order: BERTH_TEMPORAL_CLI, PATH, our cache, the download of Temporal's SDK, a build from deploy/temporal.
Called by the supervisor and by `make run`; `python -m embedded.temporal_cli` prints the path.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from embedded.errors import TemporalMissingError
from system import go_build
from system.go_build import Build, BuildFailed, Say

VERSION = "1.8.2"
_OLDEST = (1, 5)
_MODULE = Path(__file__).resolve().parent.parent / "deploy" / "temporal"
_PACKAGE = "github.com/temporalio/cli/cmd/temporal"
_DOWNLOAD_SECONDS = 180.0


def find(chosen: str, cache: Path) -> Path | None:
    """A program that is there already. `chosen` is the user's own choice and is never passed over."""
    if chosen:
        path = Path(chosen).expanduser().absolute()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise TemporalMissingError(f"BERTH_TEMPORAL_CLI names {path}, which is not an executable file")
        return path
    on_path = shutil.which("temporal")
    if on_path is not None and _is_recent(Path(on_path)):
        return Path(on_path).resolve()  # a link of another `berth env` may go away
    cached = cached_program(cache)
    return cached if os.access(cached, os.X_OK) else None


def obtain(chosen: str, cache: Path, say: Say) -> Path:
    """`find`, else download or build into the cache. The build takes some three minutes, once."""
    found = find(chosen, cache)
    if found is not None:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    waiting = "temporal: another start is getting the Temporal CLI; waiting for it"
    with go_build.one_at_a_time(cache / ".temporal.lock", say, waiting):
        found = find(chosen, cache)
        if found is not None:
            return found
        failures = []
        for means in (_download, _build):
            failure = means(cached_program(cache), say)
            if failure is None:
                return cached_program(cache)
            failures.append(failure)
    raise TemporalMissingError(
        "no Temporal program: "
        + "; ".join(failures)
        + ". Install Go 1.26 or newer, or put a Temporal CLI on PATH, or name one in BERTH_TEMPORAL_CLI, "
        "or set TEMPORAL_ADDRESS to use a Temporal server of yours"
    )


def cached_program(cache: Path) -> Path:
    return cache / f"temporal-{VERSION}"


def _is_recent(program: Path) -> bool:
    """Whether it knows the options that we pass. A build without a version is somebody's own: trusted."""
    try:
        said = subprocess.run(
            [program, "--version"],
            env=go_build.environment(),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"version (\d+)\.(\d+)\.", said)
    if version is None:
        return False
    numbers = (int(version[1]), int(version[2]))
    return numbers == (0, 0) or numbers >= _OLDEST


def _download(target: Path, say: Say) -> str | None:
    """By Temporal's own SDK, in a process of its own so that it cannot hang us. Returns why it failed."""
    say(f"temporal: getting the Temporal CLI {VERSION} (once)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "embedded.temporal_download", VERSION, folder],
                env=go_build.environment(),
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_DOWNLOAD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"its download took longer than {_DOWNLOAD_SECONDS:.0f} s"
        if done.returncode != 0:
            return "its download is out of reach"
        Path(done.stdout.strip()).replace(target)
    return None


def _build(target: Path, say: Say) -> str | None:
    """With the go command, from the versions pinned in deploy/temporal. Returns why it failed."""
    go = go_build.go_program()
    if go is None:
        return "there is no go command to build it with"
    say(f"temporal: no download here; building the Temporal CLI {VERSION} with go (about 3 minutes, once)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        unfinished = Path(folder) / "temporal"
        arguments = ("-ldflags", "-s -w", "-o", str(unfinished), _PACKAGE)
        try:
            go_build.run(go, Build(_MODULE, arguments, Path(folder) / "log", "temporal"), say)
        except BuildFailed as failed:
            return f"its build failed: {failed}"
        unfinished.chmod(0o755)
        unfinished.replace(target)
    say("temporal: built")
    return None


def main() -> int:
    """Entry of `python -m embedded.temporal_cli`."""
    from settings import Settings  # noqa: PLC0415 - entry point: only it reads the environment

    settings = Settings()
    try:
        path = obtain(settings.temporal_cli, settings.cache_dir, lambda text: print(text, file=sys.stderr))  # noqa: T201
    except TemporalMissingError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
