"""Real names: verified over the service's own protocol, masked, one account each (实名)."""

import pytest

from api.caller import running
from api.phone import phone_of
from api.register import Service, new_number, settings
from lingqian.channels.faceid.client import RealNameRow
from lingqian.channels.faceid.sign import JSON, Request, Secret, authorization
from lingqian.identity.real_name import class_of, mask_name, mask_number

PATH = "/v1/users/me/real-name"
FACE, OTHER_FACE = "/9j/4AAQSkZJRg==", "/9j/4AAQSkZJRh=="


@pytest.fixture(scope="module")
def service():
    """One service for the tests of this file."""
    found = Service()
    yield found
    found.close()


@pytest.fixture(scope="module")
def shop(service, tmp_path_factory):
    """A key of a house that is connected to the service; people begin without a class."""
    folder = tmp_path_factory.mktemp("real") / "house"
    row = settings(service, folder)
    with running(folder, real_name=row, default_account_class=0) as house:
        yield house.caller()


def told(name="李小明", number=None, **more):
    """Return what a person tells."""
    return {"name": name, "id_number": number or new_number(), **more}


def test_a_name_and_a_face_lead_to_classes(shop):
    """Nobody pays before; with the number class II, with the face class III (the texts' rows)."""
    phone = phone_of(shop, shop.user())
    assert phone.get(PATH).body == {"is_verified": False, "account_class": 0}
    body = told()
    found = phone.post(PATH, body)
    assert found.status == 200, found
    assert (found.body["account_class"], found.body["checks"]) == (2, ["number"])
    assert (found.body["name"], found.body["id_number"][1:17]) == ("**明", "*" * 16)
    assert phone.post(PATH, {**body, "face": FACE}).body["account_class"] == 3
    assert phone.get("/v1/users/me").body["account_class"] == 3
    assert phone.post(PATH, {**body, "face": OTHER_FACE}).status == 200, "it is verified already"


def test_what_does_not_belong_together_is_one_answer(shop):
    """A stranger learns neither which numbers there are nor whose they are."""
    number = new_number()
    phone_of(shop, shop.user()).post(PATH, told(number=number))
    phone = phone_of(shop, shop.user())
    wrong, none = (
        phone.post(PATH, told("王大锤", number)),
        phone.post(PATH, told(number=new_number(999))),
    )
    assert (wrong.status, wrong.code) == (403, "real_name_mismatch")
    assert wrong.body == none.body
    assert phone.get(PATH).body == {"is_verified": False, "account_class": 0}


@pytest.mark.parametrize("number", ["110101199003074507", "11010119900230001X", "x",
                                    "110101199003X74506", "110101900307450", "\uff11" * 18,
                                    "010101199003074506", "110101209903074500",
                                    "110101189903074505"])  # fmt: skip
def test_a_number_that_cannot_be_one_is_not_asked_about(shop, number):
    """Form, birthday, check digit: a mistyped digit costs no question and no try."""
    phone = phone_of(shop, shop.user())
    for _ in range(6):
        found = phone.post(PATH, {"name": "李小明", "id_number": number})
        assert (found.status, found.code) == (422, "id_number_invalid")
        assert number not in str(found.body)
    assert phone.post(PATH, told()).status == 200


@pytest.mark.parametrize("name", ["x", "小", "<b>李</b>", "李\n明", "1234", "李" * 33])
def test_a_name_that_cannot_be_one_is_refused(shop, name):
    """What is not a name of a document never leaves the house."""
    found = phone_of(shop, shop.user()).post(PATH, told(name))
    assert (found.status, found.body["field"]) == (422, "name")


def test_five_tries_a_day(shop):
    """Whoever asks whether others exist is soon done asking; tomorrow it is a new day."""
    number = new_number()
    phone_of(shop, shop.user()).post(PATH, told(number=number))
    phone = phone_of(shop, shop.user())
    codes = [phone.post(PATH, told("王大锤", number)).code for _ in range(6)]
    assert codes == ["real_name_mismatch"] * 5 + ["real_name_exhausted"]
    found = phone.post(PATH, told())
    assert (found.status, int(found.headers["retry-after"]) > 0) == (429, True)
    shop.advance(86_400)
    assert phone.post(PATH, told()).status == 200


def test_one_identity_has_one_account(shop):
    """Five accounts are not five times the limits."""
    body = told()
    assert phone_of(shop, shop.user()).post(PATH, body).status == 200
    again = phone_of(shop, shop.user()).post(PATH, body)
    assert (again.status, again.code) == (409, "real_name_taken")


def test_an_account_stays_whose_it_is(shop):
    """A verified account cannot be handed on under another name."""
    phone = phone_of(shop, shop.user())
    phone.post(PATH, told())
    found = phone.post(PATH, told())
    assert (found.status, found.code) == (409, "real_name_known")


def test_another_face_is_refused(shop):
    """The number stays verified; the face has to be the owner's."""
    number = new_number()
    first = phone_of(shop, shop.user())
    assert first.post(PATH, told(number=number, face=FACE)).body["checks"] == ["number", "face"]
    second = phone_of(shop, shop.user())
    found = second.post(PATH, told(face="AAAA") | {"id_number": number})
    assert found.code in ("real_name_taken", "face_mismatch")
    assert second.post(PATH, told(face="!!")).body["field"] == "face"


def test_who_has_forgotten_the_password_proves_who_he_is(shop):
    """Name and number start the wait of a day; a wrong one is a try."""
    phone, body = phone_of(shop, shop.user()), told()
    phone.post(PATH, body)
    phone.call("PUT", "/v1/users/me/payment-password", {"password": "274913"})
    path = "/v1/users/me/payment-password/reset"
    wrong = {"name": "王大锤", "id_number": body["id_number"]}
    assert phone.post(path, wrong).code == "real_name_mismatch"
    assert phone.post(path, {}).code == "id_number_invalid"
    assert phone.post(path, body).body["reset_at"]


def test_when_the_service_is_down_nothing_is_said_of_anybody(service, shop):
    """503, the same key is safe; neither a match nor a mismatch is invented."""
    phone, body = phone_of(shop, shop.user()), told()
    service.simulator.is_busy = True
    try:
        found = phone.post(PATH, body)
        assert (found.status, found.code) == (503, "unavailable")
    finally:
        service.simulator.is_busy = False
    assert phone.post(PATH, body).status == 200


def test_a_wrong_secret_is_the_house_own_trouble(service, tmp_path):
    """The service refuses the signature; the person hears that it cannot be done now."""
    row = settings(service, tmp_path / "house", secret_id="AKIDother")
    with running(tmp_path / "house", real_name=row) as house:
        phone = phone_of(house.caller(), house.caller().user())
        assert phone.post(PATH, told()).code == "unavailable"


def test_a_house_without_a_verifier_says_so(api):
    """It does not pretend."""
    assert phone_of(api, api.user()).post(PATH, told()).code == "no_verifier"


def test_nobody_is_verified_by_a_key_or_for_another(shop):
    """A person does it himself; his app may look, masked."""
    user = shop.user()
    assert shop.post(f"/v1/users/{user}/real-name", told()).code == "scope_missing"
    assert phone_of(shop, shop.user()).get(f"/v1/users/{user}/real-name").code == "not_found"
    assert shop.get(f"/v1/users/{user}/real-name").body["is_verified"] is False


@pytest.mark.parametrize(("profile", "checks", "known", "found"), [
    ("sandbox", 1, 0, 2), ("closed_loop", 3, 0, 3), ("closed_loop", 1, 3, 3),
    ("licensed", 0, 0, 0), ("licensed", 1, 0, 1), ("licensed", 3, 0, 1), ("licensed", 1, 2, 2),
])  # fmt: skip
def test_the_rows_of_each_profile(profile, checks, known, found):
    """The texts' reading and the law's side by side; a class is never taken away."""
    assert class_of(profile, checks, known) == found


def test_masks_keep_one_letter_and_two_digits():
    """Enough to recognise oneself, not enough for anybody else."""
    assert mask_name("欧阳小明") == "***明"
    assert mask_number("110101199003074506") == "1****************6"


def test_the_signature_is_that_of_the_documents_example():
    """Known answer: the example of the service's own documentation."""
    secret = Secret("AKID" + "*" * 32, "*" * 32)  # as the document prints them
    body = (
        b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
    )
    request = Request("cvm.tencentcloudapi.com", "DescribeInstances", body, 1_551_113_065)
    found = authorization(secret, request, "cvm")
    assert JSON == "application/json; charset=utf-8"
    assert found.endswith(
        "Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
    )


@pytest.mark.parametrize("url", ["http://faceid.example", "https://a@b.example",
                                 "https://faceid.example/path", "ftp://127.0.0.1"])  # fmt: skip
def test_names_are_not_sent_in_the_open(url):
    """Plain http is for a simulator on this very machine."""
    with pytest.raises(ValueError, match="url"):
        RealNameRow(secret_id="a", secret_key_file="k", url=url)
