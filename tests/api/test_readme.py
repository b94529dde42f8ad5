"""The first lines a stranger types, typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from need import needs

ROOT = Path(__file__).resolve().parents[2]
# When a balance was read, which differs and shall.
AS_OF = re.compile(r'"as_of": ?"[^"]*"')
BLOCK = r"<!-- curl:start -->\n+```console\n(.*?)```\n+<!-- curl:end -->"


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_lines_of_the_readme_work(house, api, tmp_path, page):
    """As they stand, but for the port and the way to the command; twice, as it promises."""
    curl = needs("curl")
    block = re.search(BLOCK, (ROOT / page).read_text("utf-8"), re.DOTALL)[1]
    assert "http://127.0.0.1:8080" in block
    assert "python3 do.py run" in block
    block = block.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{house.port}")
    block = block.replace("python3 do.py run", str(Path(sys.executable).with_name("lingqian")))
    path = os.pathsep.join([str(Path(curl).parent), os.environ["PATH"]])
    answers = []
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "KEY": api.key},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "every check held" in done.stdout
        answers.append(done.stdout)
    first, again = (AS_OF.sub("", answer) for answer in answers)
    assert first == again, "any line may be sent twice"
