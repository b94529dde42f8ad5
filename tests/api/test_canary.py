"""Canaries: words that must stand nowhere on the disk, in no log and no metric (金丝雀).

Names, ID numbers, faces, passwords and tokens pass through a whole life of a person; then every
file of the folder, its backup, the log and what the house tells of itself are searched.
"""

import base64
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from api.caller import Caller, running
from api.phone import Phone, link_of
from api.register import Service, new_number, settings

LINGQIAN = str(Path(sys.executable).with_name("lingqian"))
NAME, NICKNAME, DEVICE, GREETING = "欧阳金丝雀", "金丝雀昵称", "金丝雀的手机", "金丝雀祝福"
PASSWORD, WRONG = "846291", "918273"
FACE = base64.b64encode(b"\xff\xd8canary face" * 3).decode()
NEW_PASSWORD = "/v1/users/me/payment-password"


@pytest.fixture
def logged():
    """Everything that anybody logs, down to the finest."""
    found = []

    class Ear(logging.Handler):
        def emit(self, record):
            found.append(self.format(record) + repr(record.args))

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    yield found
    root.removeHandler(ear)
    root.setLevel(before)


def lived(house, number):
    """Let a person live through everything; return what must be nowhere."""
    api = house.caller()
    link = link_of(api, api.rich(100_000, NICKNAME))
    phone = Phone(api.port)
    phone.sign_in(link, DEVICE)
    spent = [link, phone.access, phone.refresh_token]
    phone.refresh()
    body = {"name": NAME, "id_number": number, "face": FACE}
    assert phone.post("/v1/users/me/real-name", body).status == 200
    assert phone.call("PUT", NEW_PASSWORD, {"password": PASSWORD}).status == 200
    wrong = {"password": "274913", "old_password": WRONG}
    assert phone.call("PUT", NEW_PASSWORD, wrong).code == "wrong_password"
    packet = {"kind": "lucky", "total_fen": 20_000, "count": 1, "greeting": GREETING}
    told = phone.post("/v1/packets", packet, once="p")
    proof = {"challenge": told.body["challenge"], "password": PASSWORD}
    token = phone.post("/v1/users/me/payment-tokens", proof).body["payment_token"]
    headers = {"Payment-Factor": f"password {token}"}
    assert phone.post("/v1/packets", packet, once="p", headers=headers).status == 201
    for path in ("/v1/users", "/v1/sessions", "/v1/users/me/real-name"):
        phone.call("POST", path, raw=b'{"' + PASSWORD.encode() + b'": ' + NAME.encode())
    told = [phone.get(f"/v1/users/me{path}").body for path in ("", "/security", "/real-name")]
    assert number not in str(told)
    assert NAME not in str(told)
    metrics = Caller(api.port, "").get("/metrics").body
    assert not [word for word in (NAME, number, NICKNAME) if word.encode() in metrics]
    return [*spent, phone.access, phone.refresh_token, token, told[0]["id"] and number, api.key]


def backed_up(folder, target):
    """Back the ledger up as an operator would."""
    line = [LINGQIAN, "backup", str(target), "--data", str(folder), "--plain"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def test_no_canary_is_found_outside_its_cage(tmp_path, logged):
    """The control: what is plain in the files, as the name of a table is, the search does find."""
    service = Service()
    folder, number = tmp_path / "house", new_number()
    try:
        row = settings(service, folder)
        with running(folder, real_name=row, default_account_class=0) as house:
            secrets = lived(house, number)
            plain = house.on_loop(lambda: house.door.wallet.config.real_name.secret_id)
    finally:
        service.close()
    assert plain
    words = backed_up(folder, tmp_path / "ledger.backup")
    canaries = [*secrets, number, number[6:14] + number[14:], NAME, NICKNAME, DEVICE, GREETING,
                PASSWORD, WRONG, FACE]  # fmt: skip
    texts = {"log": "\n".join(logged).encode(), "words": words.encode()}
    for file in [*folder.rglob("*"), *tmp_path.glob("*.backup*")]:
        if file.is_file() and file.parent.name != "keys":
            texts[file.name] = file.read_bytes()
    found = [(name, word) for name, text in texts.items() for word in canaries
             if word.encode() in text]  # fmt: skip
    assert found == []
    for name in ("ledger.db", "ledger.backup"):
        assert b"session_links" in texts[name], name
    assert len(texts["log"]) > 0
