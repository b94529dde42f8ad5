"""P1 and P5: what was promised stands everywhere the same, before the first claim; and a promise
that cannot be kept shows (承诺与公布).
"""

import json
import re

import pytest

from acceptance import people
from acceptance.server import run, serving
from lingqian.compose import KEYS
from lingqian.kernel.clock import from_rfc3339
from lingqian.storage.vault import rotate

WITHHELD = re.compile(r"^lingqian_proofs_withheld_total (\d+)", re.MULTILINE)


def test_p1_one_commitment_on_card_receipt_and_proof(crew, server):
    """P1: what the sender was shown first is what everybody sees, and what the proof opens."""
    users = people.register(crew, server, 3)
    sender = next(people.senders(crew, server, 1))
    (made,) = people.send(crew, server, [people.packet(sender, 1_000, 3)])
    shown = [
        server.good("GET", f"/v1/packets/{made['id']}{viewer}")
        for viewer in ("", f"?viewer_id={sender}", f"?viewer_id={users[0]}")
    ]
    (receipt,) = server.good("GET", f"/v1/users/{sender}/packets?role=sent")["packets"]
    crew.good(server, [people.claim(made["id"], user) for user in users])
    claims = server.good("GET", f"/v1/packets/{made['id']}/claims")["claims"]
    proof = server.good("GET", f"/v1/packets/{made['id']}/proof")
    assert receipt["id"] == made["id"]
    assert {each["commitment"] for each in [made, *shown, receipt, proof]} == {made["commitment"]}
    assert {each["created_at"] for each in [made, *shown, receipt]} == {made["created_at"]}
    promised_us = from_rfc3339(made["created_at"])
    assert promised_us <= proof["created_at_us"] < promised_us + 1_000
    assert all(proof["created_at_us"] < each["at_us"] for each in proof["claims"])
    assert all(promised_us < from_rfc3339(each["at"]) for each in claims), "promised too late"


def verdict(tmp_path, proof):
    """Return what the product's own verifier says of a proof, asked of nobody."""
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof))
    return run("verify", str(path)).returncode


def withheld(server):
    """Return how often a proof was due and could not be made."""
    return int(WITHHELD.search(server.call("GET", "/metrics").body["text"])[1])


@pytest.mark.timeout(240)
def test_p5_a_withheld_reveal_shows_and_alarms(crew, tmp_path):
    """P5: a root key is lost; within a second of closing everybody can see it, and it alarms."""
    with serving(tmp_path / "data") as server:
        sender = people.senders(crew, server, 1)
        users = people.register(crew, server, 3)
        (old,) = people.send(crew, server, [people.packet(next(sender), 900, 3)])
        server.stop()
        rotate(server.folder / KEYS)
        server.start()
        packets = [
            people.packet(next(sender), 900, 3, **more) for more in ({}, {"expires_in_s": 9})
        ]
        done, dying = people.send(crew, server, packets)
        crew.good(server, [people.claim(done["id"], user) for user in users])
        server.stop()
        root = server.folder / KEYS / "root-002.key"
        root.rename(tmp_path / "lost")
        server.start()
        # Closed before: whoever asks is told, and money and names stay in sight.
        told = server.call("GET", f"/v1/packets/{done['id']}/proof")
        assert (told.status, told.body["code"]) == (503, "proof_withheld")
        card = server.good("GET", f"/v1/packets/{done['id']}?viewer_id={users[0]}")
        assert (card["state"], card["commitment"]) == ("finished", done["commitment"])
        assert withheld(server) == 1
        # Closing now: it alarms although nobody has asked, and the money goes back all the same.
        barred = server.call("POST", f"/v1/packets/{dying['id']}/claims", {"user_id": users[0]})
        assert (barred.status, barred.body["code"]) == (503, "unavailable")
        server.wait(lambda: withheld(server) == 2)
        card = server.good("GET", f"/v1/packets/{dying['id']}")
        assert (card["state"], card["returned"]["amount_fen"]) == ("expired", 900)
        # A packet sealed under the root that is there is as good as ever.
        crew.good(server, [people.claim(old["id"], user) for user in users])
        assert verdict(tmp_path, server.good("GET", f"/v1/packets/{old['id']}/proof")) == 0
        # Found again, the promise is kept after all.
        server.stop()
        (tmp_path / "lost").rename(root)
        server.start()
        for each in (done, dying):
            proof = server.good("GET", f"/v1/packets/{each['id']}/proof")
            assert verdict(tmp_path, proof) == 0
