"""The command: a process that listens, writes the merchant's files, and stops when told."""

import os
import re
import signal
import stat
import subprocess
import sys
import tomllib

from cryptography import x509

from lingqian_simulator.store import Store
from simulated import WAIT_S, fetch

LINES = re.compile(r"API +(http://\S+) +(http://\S+)\ncontrol +(http://\S+)\nmerchant +(\d+)")


def test_the_command_serves_and_leaves_files(tmp_path):
    """A stranger starts one line and finds every key in the files a real download has."""
    folder = tmp_path / "keys"
    line = [sys.executable, "-m", "lingqian_simulator", "--port", "0", "--control-port", "0"]
    process = subprocess.Popen(
        [*line, "--credentials", str(folder), "--data", str(tmp_path / "s.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        try:
            first, second, control, mchid = LINES.match(
                "".join(process.stdout.readline() for _ in range(3))
            ).groups()
            hosts = fetch(f"{control}/control/hosts")
            assert [host["base_url"] for host in hosts] == [first, second]
            # The store holds every private key, and so does what SQLite keeps beside it.
            kept = {file.name: rights(file) for file in tmp_path.glob("s.db*")}
            assert len(kept) > 1
            assert os.name != "posix" or set(kept.values()) == {0o600}, kept
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0, process.stdout.read()
    settings = tomllib.loads((folder / "merchant.toml").read_text("utf-8"))
    assert settings["mchid"] == mchid
    assert (settings["base_url"], settings["standby_url"]) == (first, second)
    assert len(settings["api_v3_key"]) == 32
    certificate = x509.load_pem_x509_certificate((folder / "apiclient_cert.pem").read_bytes())
    assert f"{certificate.serial_number:X}" == settings["serial_no"]
    assert (folder / "pub_key.pem").exists()
    assert list(folder.glob("wechatpay_*.pem"))
    assert os.name != "posix" or rights(folder / "apiclient_key.pem") == 0o600


def rights(path):
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_store_that_was_open_to_all_is_closed(tmp_path):
    """A file of an older start, or of a careless copy."""
    path = tmp_path / "s.db"
    path.touch(mode=0o644)
    path.chmod(0o644)
    Store(path).close()
    assert os.name != "posix" or rights(path) == 0o600
