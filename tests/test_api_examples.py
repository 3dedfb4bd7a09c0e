"""The examples of docs/api.md, run as they stand against a whole Berth."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.embedded.conftest import purged, starting

pytestmark = pytest.mark.processes
PAGE = Path(__file__).parents[1] / "docs" / "api.md"
WHOLE = ("schema=db.migrate:main", "api=embedded.serve_api:main", "worker=worker:main")
_EXPECTED = re.compile(r"\s+# (\d{3})$")


def _script() -> str:
    """The page's blocks; a call that names its status writes the one it got, and its own line."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    lines = []
    for line in "".join(blocks).splitlines():
        expected = _EXPECTED.search(line)
        if expected is None:
            lines.append(line)
            continue
        call = line[: expected.start()]
        assert call.startswith("api "), f"only calls of `api` name a status: {line}"
        asked = f"api -o /dev/null -w '{expected[1]} %{{http_code}}' {call.removeprefix('api ')}"
        lines.append(f'{asked} >>"$ANSWERS"; printf \' %s\\n\' {_quoted(call)} >>"$ANSWERS"')
    return "\n".join(line for line in lines if "berth env" not in line)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are curl calls, and there is no curl here")
def test_the_examples_of_the_api_page_answer_what_the_page_says(tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    with purged(tmp_path / "data") as data_dir, starting(data_dir, tmp_path) as start:
        ready = start(*WHOLE).event(60)
        environment = {
            "PATH": os.defpath,
            "BERTH_URL": ready["url"],
            "BERTH_TOKEN": (data_dir / "token").read_text().strip(),
            "ANSWERS": str(answers),
        }
        command = ["/bin/bash", "-euc", _script()]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    wrong = [line for line in answers.read_text().splitlines() if line[:3] != line[4:7]]
    assert not wrong, "expected, answered, call:\n" + "\n".join(wrong)
