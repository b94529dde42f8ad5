"""The command: a process that listens, writes the merchant's files, and stops when told."""

import os
import re
import signal
import stat
import subprocess
import sys
import tomllib

from cryptography import x509

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
    mode = stat.S_IMODE((folder / "apiclient_key.pem").stat().st_mode)
    assert os.name != "posix" or mode == 0o600
