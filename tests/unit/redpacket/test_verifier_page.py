"""The verifier page that ships is the one its sources make."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "frontend" / "verifier" / "build.py"
PAGE = ROOT / "src" / "lingqian" / "web" / "static" / "verify.html"


def test_page_is_fresh():
    """The built file is committed, so it can go stale; this says so."""
    answer = subprocess.run(
        [sys.executable, str(BUILD), "--check"], capture_output=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr.decode()


def test_page_needs_nothing_else():
    """P7: one file, no address in it, and a policy that forbids the network."""
    text = PAGE.read_text("utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text
    assert "%" + "SCRIPT%" not in text
