"""The README's lines, pasted into a shell as a newcomer does (新手第一步)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.server import serving, surroundings
from tidy.test_page import READMES, curl_block
from tidy.text import ROOT

PORT = "127.0.0.1:8080"


def paste(block, server, folder):
    """Run the lines with only KEY set, beside the repository's own `do.py`."""
    assert PORT in block, "the block has another address than the demo"
    script = block.replace(PORT, f"127.0.0.1:{server.port}")
    (folder / "do.py").symlink_to(ROOT / "do.py")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=surroundings(KEY=server.key, PATH=path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("readme", READMES)
def test_readme_lines_do_what_the_page_says(tmp_path, readme):
    """The first thing a stranger tries: two shares of 88.88 yuan, and a proof that holds."""
    with serving(tmp_path / "data") as server:
        first = paste(curl_block(readme), server, tmp_path)
        assert first.returncode == 0, first.stdout + first.stderr
        said = [json.loads(line) for line in first.stdout.splitlines() if line.startswith("{")]
        shares = [each for each in said if each.get("status") == "claimed"]
        assert sum(each["amount_fen"] for each in shares) == 8_888
        (bob,) = [each for each in said if "balances" in each]
        assert bob["balances"][0]["amount_fen"] == shares[0]["amount_fen"]
        # "Any line may be sent twice": the same lines again change nothing.
        (tmp_path / "do.py").unlink()
        again = paste(curl_block(readme), server, tmp_path)
        assert again.returncode == 0, again.stdout + again.stderr
        repeated = [json.loads(line) for line in again.stdout.splitlines() if line.startswith("{")]
        assert repeated == said
