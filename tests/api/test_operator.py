"""Operators: a key for each, a role, and a one-time code for every act (运营人员)."""

import base64
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.caller import UNENCRYPTED, Caller, running
from lingqian.compose import RuleRow
from lingqian.identity.key import OPERATOR, ROLES, Scope
from lingqian.storage.authenticator import STEP_S, code_at

LINGQIAN = str(Path(sys.executable).with_name("lingqian"))


def lingqian(*words):
    """Run the command line as a person would."""
    line = [LINGQIAN, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


class Operator(Caller):
    """Somebody with a key and an authenticator; each code is a later one."""

    def __init__(self, house, name, *words):
        made = lingqian("key", "new", name, "--data", house.folder, *words)
        assert made.returncode == 0, made.stderr
        super().__init__(house.port, made.stdout.strip())
        told = lingqian("key", "enrol", name, "--data", house.folder)
        assert told.stdout.startswith(f"otpauth://totp/Lingqian:{name}?secret="), told
        text = told.stdout.partition("secret=")[2].partition("&")[0]
        self.secret = base64.b32decode(text)
        self.drift = -2

    def code(self):
        """Return the next code; three can be had at once, as a phone's clock may be off."""
        self.drift += 1
        return code_at(self.secret, int(time.time()) // STEP_S + self.drift)

    def act(self, method, path, body=None, code=None):
        """Act, with a code."""
        headers = {"Operator-Code": self.code() if code is None else code}
        return self.call(method, path, body, headers=headers)


def test_an_act_takes_a_code_and_each_code_once(house, api):
    """Key and phone: neither alone acts, and what was seen over a shoulder is spent."""
    operator, user = Operator(house, "zhang.wei"), api.user()
    path = f"/v1/users/{user}/sessions"
    assert operator.get(f"/v1/users/{user}").status == 200, "looking takes no code"
    assert operator.call("DELETE", path).code == "operator_code_needed"
    code = operator.code()
    assert operator.act("DELETE", path, code=code).status == 200
    assert operator.act("DELETE", path, code=code).code == "wrong_operator_code"
    assert operator.act("DELETE", path).status == 200
    acts = [each for each in api.get("/v1/acts?limit=50").body["acts"]
            if each["actor"] == "zhang.wei"]  # fmt: skip
    assert [each["status"] for each in acts] == [200, 0, 200, 0], "refused at the door is no act"


def test_the_operators_own_money_moves_by_an_act(house, api):
    """Who funds the line for advances spends the house's money: by a code, and on record."""
    operator = Operator(house, "wu.hao", "--role", "dispatcher")
    path, body = "/v1/advance-lines/funding", {"amount_fen": 100, "lane": 0}
    assert operator.post(path, body, once="bare").code == "operator_code_needed"
    headers = {"Operator-Code": operator.code(), "Idempotency-Key": "line"}
    status = operator.call("POST", path, body, headers=headers).status
    acts = api.get("/v1/acts?limit=50").body["acts"]
    assert [each["status"] for each in acts if each["actor"] == "wu.hao"] == [status, 0]
    assert status == 201


def test_an_older_code_is_spent_with_the_newer(house, api):
    """Steps go forward only."""
    operator, path = Operator(house, "li.na"), f"/v1/users/{api.user()}/sessions"
    older, newer = operator.code(), operator.code()
    assert operator.act("DELETE", path, code=newer).status == 200
    assert operator.act("DELETE", path, code=older).code == "wrong_operator_code"


def test_changing_class_or_state_is_an_act(house, api):
    """A nickname is not; what only `admin` may change is."""
    operator, user = Operator(house, "sun.li"), api.user()
    path = f"/v1/users/{user}"
    assert operator.call("PATCH", path, {"nickname": "x"}).status == 200
    assert operator.call("PATCH", path, {"state": "frozen"}).code == "operator_code_needed"
    assert operator.act("PATCH", path, {"state": "frozen"}).body["state"] == "frozen"
    (end, begin, *_) = api.get("/v1/acts?limit=2").body["acts"]
    assert (begin["operation"], begin["status"], end["status"]) == (
        "PATCH /v1/users/{user_id}", 0, 200
    )  # fmt: skip


def test_five_wrong_codes_lock(house, api):
    """Six digits cannot be guessed at; the right one waits too."""
    operator, path = Operator(house, "wu.jun"), f"/v1/users/{api.user()}/sessions"
    wrong = [operator.act("DELETE", path, code="x") for _ in range(5)]
    assert {told.code for told in wrong} == {"wrong_operator_code"}
    told = operator.act("DELETE", path)
    assert (told.status, told.code) == (429, "operator_code_locked")
    assert int(told.headers["retry-after"]) > 0


def test_outside_the_sandbox_nobody_acts_without_an_authenticator(tmp_path):
    """A key that leaked is not yet an operator."""
    with running(tmp_path / "house", profile="closed_loop", **UNENCRYPTED) as house:
        api = house.caller()
        path = f"/v1/users/{api.user()}/sessions"
        told = api.call("DELETE", path)
        assert (told.status, told.code) == (403, "operator_code_needed")
        assert "lingqian key enrol" in told.body["detail"]
        assert Operator(house, "qian.duo").act("DELETE", path).status == 200


def test_a_role_is_what_its_work_needs(house, api):
    """A reviewer reviews; he neither closes days nor changes anybody."""
    operator = Operator(house, "zhou.min", "--role", "reviewer")
    assert operator.get("/v1/cases").status == 200
    assert operator.act("DELETE", f"/v1/users/{api.user()}/sessions").code == "scope_missing"
    assert operator.get("/v1/acts").code == "scope_missing"
    bad = ("--role", "king"), ("--role", "reviewer", "--scope", "admin")
    for words in bad:
        assert lingqian("key", "new", "x", "--data", house.folder, *words).returncode == 2
    assert lingqian("key", "enrol", "nobody", "--data", house.folder).returncode == 1
    assert all(scopes & OPERATOR and Scope.ACT_USERS not in scopes for scopes in ROLES.values())


def test_the_command_asks_for_the_code(tmp_path):
    """`lingqian case release` on a key with an authenticator; a wrong one is told."""
    rules = (RuleRow("r", "transfer", "review", 500),)
    with running(tmp_path / "house", rules=rules) as house:
        api, operator = house.caller(), Operator(house, "he.lin", "--role", "reviewer")
        pay = {"source_id": api.rich(), "target_id": api.user(), "amount_fen": 600}
        case = api.post("/v1/transfers", pay, once="held").body["case_id"]
        line = [LINGQIAN, "case", "release", case, "--by", "he.lin", "--json"]
        line += ["--url", f"http://127.0.0.1:{house.port}", "--key", operator.key]
        for code, end in (("000000x", 1), (operator.code(), 0)):
            done = subprocess.run(
                line, input=f"{code}\n", capture_output=True, text=True, timeout=60, check=False
            )
            assert (done.returncode, "authenticator" in done.stderr) == (end, True), done
        assert api.get(f"/v1/cases/{case}").body["state"] == "released"


# RFC 6238, appendix B, SHA-1; the last six of its eight digits.
KNOWN = {59: "287082", 1_111_111_109: "081804", 1_111_111_111: "050471", 1_234_567_890: "005924",
         2_000_000_000: "279037", 20_000_000_000: "353130"}  # fmt: skip


@pytest.mark.parametrize("at_s", KNOWN)
def test_codes_are_those_of_the_rfc(at_s):
    """Known answers."""
    assert code_at(b"12345678901234567890", at_s // STEP_S) == KNOWN[at_s]
