"""Covers of people's own: what becomes one, who may send it, and what hostile pictures come to."""

import io
import itertools
import time
import zlib

import pytest
from PIL import Image

import picture
from api.caller import Caller, running
from api.phone import phone_of
from lingqian.identity.key import Scope
from lingqian.kernel.bound import (
    COVER_BYTES_MAX,
    COVER_HEIGHT,
    COVER_TRIES_A_DAY_MAX,
    COVER_WIDTH,
    COVERS_PER_USER_MAX,
)

OWN = "/v1/users/me/covers"
UNKNOWN = "cv_3V9ZK2M6T8X1B4D7F0H3J5N8QR"
_shades = itertools.count(1)


def upload(caller, body, media=picture.JPEG, path=OWN):
    """Send a picture."""
    return caller.call("POST", path, raw=body, headers={"Content-Type": media})


def shade(number=None):
    """Return a picture like no other of this file; neighbouring shades would become the same."""
    step = 16 * (number or next(_shades))
    return picture.painted((step % 256, 40, step // 256 * 16))


def covered(api, sender, cover, **more):
    """Ask for a packet with a cover."""
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 100, "count": 1, "cover": cover}
    return api.post("/v1/packets", body, once=f"c{next(_shades)}", **more)


@pytest.fixture
def phone(api):
    """Somebody with money, signed in."""
    return phone_of(api, api.rich())


def test_a_picture_becomes_a_cover_and_stands_on_the_card(api, phone):
    """From the phone's bytes to what a claimer sees, and it is the picture that was chosen."""
    made = upload(phone, picture.painted((30, 90, 160)))
    assert made.status == 201, made
    sent = covered(api, phone.user_id, made.body["id"])
    assert sent.status == 201, sent
    card = api.get(f"/v1/packets/{sent.body['id']}?viewer_id={api.user()}").body
    assert (card["cover"], card["cover_image"]) == (made.body["id"], made.body["image"])
    shown = Caller(api.port, "").get(card["cover_image"])
    assert shown.status == 200
    assert Image.open(io.BytesIO(shown.body)).size == (COVER_WIDTH, COVER_HEIGHT)
    assert min(picture.corner(shown.body)) > 240
    assert phone.get(OWN).body["covers"] == [made.body]


def test_a_picture_is_served_as_nothing_else(api, phone):
    """Its own type, no guessing, no script, kept for ever, and shown on other apps' pages."""
    told = Caller(api.port, "").get(upload(phone, shade()).body["image"])
    assert told.headers["content-type"] == "image/jpeg"
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["content-security-policy"].startswith("default-src 'none'")
    assert told.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert told.headers["cross-origin-resource-policy"] == "cross-origin"


def test_nothing_of_a_photograph_is_kept_but_what_can_be_seen(api, phone):
    """Where, with what and by whom it was taken is nobody's business."""
    told = upload(phone, picture.located())
    assert told.status == 201, told
    kept = Caller(api.port, "").get(told.body["image"]).body
    for word in (b"Canary", b"Exif", b"script", b"evil"):
        assert word not in kept, word
    image = Image.open(io.BytesIO(kept))
    assert (dict(image.getexif()), image.info.get("icc_profile")) == ({}, None)
    turned = [min(image.convert("RGB").getpixel(at)) > 200 for at in ((590, 10), (10, 10))]
    assert turned == [True, False], "the white corner moves as the camera was turned"


def test_a_script_in_a_picture_is_not_in_the_cover(api, phone):
    """A polyglot inside the lawful parts of a file does not survive being drawn anew."""
    told = upload(phone, picture.noted(), picture.PNG)
    assert told.status == 201, told
    assert b"script" not in Caller(api.port, "").get(told.body["image"]).body


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="800">'
    + picture.SCRIPT
    + b"</svg>"
)
WHOLE = picture.painted()
DRAWN = picture.painted(form="PNG")
HOSTILE = {
    "svg": (SVG, picture.PNG),
    "html": (b"<!doctype html>" + picture.SCRIPT, picture.PNG),
    "html first": (b"<!--" + WHOLE, picture.JPEG),
    "html after": (WHOLE + picture.SCRIPT, picture.JPEG),
    "zip after": (DRAWN + b"PK\x03\x04" + bytes(60), picture.PNG),
    "gif as png": (picture.painted(form="GIF"), picture.PNG),
    "png as jpeg": (DRAWN, picture.JPEG),
    "jpeg as png": (WHOLE, picture.PNG),
    "gif in a png's coat": (DRAWN[:8] + picture.painted(form="GIF") + DRAWN[-12:], picture.PNG),
    "empty": (b"", picture.JPEG),
    "header only": (WHOLE[:3] + WHOLE[-2:], picture.JPEG),
    "cut in the middle": (WHOLE[: len(WHOLE) // 2], picture.JPEG),
    "cut png": (DRAWN[: len(DRAWN) // 2] + DRAWN[-12:], picture.PNG),
    "a side of one pixel": (picture.painted(size=(600, 1)), picture.JPEG),
    "one by a billion": (picture.claims(1, 1_000_000_000), picture.PNG),
    "a gigapixel": (picture.claims(32_000, 32_000), picture.PNG),
    "more than fit": (picture.claims(2**31 - 1, 2**31 - 1), picture.PNG),
    "just over the bound": (picture.claims(4_001, 4_000), picture.PNG),
    "less data than it says": (picture.claims(600, 800), picture.PNG),
    "text bomb": (picture.text_bomb(), picture.PNG),
    "moving": (picture.moving(), picture.PNG),
}  # fmt: skip


@pytest.fixture(scope="module")
def people(api):
    """People whose tries of a day are not used up; one for every few pictures."""
    return [phone_of(api, api.user()) for _ in range(len(HOSTILE) // 10 + 1)]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_at_once(people, name):
    """One stable code, in less time than a real one takes many times over, and nothing is kept."""
    body, media = HOSTILE[name]
    phone = people[list(HOSTILE).index(name) % len(people)]
    began = time.monotonic()
    told = upload(phone, body, media)
    assert (told.status, told.code) == (422, "picture_unfit"), (name, told)
    assert time.monotonic() - began < 10
    assert phone.get(OWN).body["covers"] == []


def test_what_is_no_picture_by_its_own_word_is_not_looked_at(phone):
    """SVG can carry scripts and GIF moves: neither is taken under its own name."""
    for media in ("image/svg+xml", "image/gif", "text/html", "application/json", ""):
        told = upload(phone, WHOLE, media)
        assert (told.status, told.code) == (415, "unsupported_media_type"), media


def test_more_data_than_a_picture_needs_are_not_unpacked(phone):
    """Thirty megabytes of noughts behind a small picture cost nothing and are not kept."""
    body = picture.claims(64, 64, zlib.compress(bytes(30_000_000)))
    told = upload(phone, body, picture.PNG)
    assert told.status == 201, told


def test_a_body_over_the_bound_is_not_read(phone):
    """Its length alone is enough."""
    told = upload(phone, b"\xff\xd8\xff" + bytes(COVER_BYTES_MAX))
    assert (told.status, told.code) == (413, "body_too_large")


def test_a_days_tries_are_counted_before_a_picture_is_looked_at(api):
    """Decoding costs: whoever sends rubbish is soon done for the day; tomorrow it is a new one."""
    with_clock = api.user()
    phone = phone_of(api, with_clock)
    codes = [upload(phone, b"rubbish").code for _ in range(COVER_TRIES_A_DAY_MAX)]
    assert set(codes) == {"picture_unfit"}
    told = upload(phone, shade())
    assert (told.status, told.code) == (429, "cover_tries_exhausted")
    assert int(told.headers["retry-after"]) > 0


def test_the_next_day_there_are_tries_again(tmp_path):
    """A house of its own, for its clock is moved."""
    with running(tmp_path / "house") as house:
        api = house.caller()
        phone = phone_of(api, api.user())
        for _ in range(COVER_TRIES_A_DAY_MAX + 1):
            told = upload(phone, b"rubbish")
        assert told.status == 429
        api.advance(86_400)
        assert upload(phone, shade()).status == 201


def test_covers_that_are_kept_are_counted_too(phone):
    """A person keeps a dozen; the same picture is the same cover; removing one makes room."""
    made = [upload(phone, shade()) for _ in range(COVERS_PER_USER_MAX)]
    assert {each.status for each in made} == {201}
    full = upload(phone, shade())
    assert (full.status, full.code) == (409, "too_many_covers")
    again = upload(phone, shade(next(_shades) - 2))
    assert (again.status, again.body) == (200, made[-1].body)
    assert phone.call("DELETE", f"{OWN}/{made[0].body['id']}").status == 204
    assert upload(phone, shade()).status == 201


def test_only_its_owner_may_send_a_cover(api, phone):
    """Another's and none are one answer: nobody learns which covers there are."""
    cover = upload(phone, shade()).body["id"]
    stranger = phone_of(api, api.rich())
    told = [covered(api, stranger.user_id, each) for each in (cover, UNKNOWN)]
    assert [(each.status, each.code, each.body["field"]) for each in told] == [
        (422, "cover_unknown", "cover")
    ] * 2
    assert stranger.call("DELETE", f"{OWN}/{cover}").status == 404
    path = f"/v1/users/{phone.user_id}/covers"
    assert [stranger.get(path).status, upload(stranger, shade(), path=path).status] == [404, 404]


def test_the_same_picture_of_two_people_is_two_covers(api):
    """Nobody can find out by uploading it whether somebody else has a picture."""
    body = shade()
    one, two = (phone_of(api, api.user()) for _ in range(2))
    first, second = upload(one, body), upload(two, body)
    assert (first.status, second.status) == (201, 201)
    assert first.body["id"] != second.body["id"]
    assert one.call("DELETE", f"{OWN}/{first.body['id']}").status == 204
    assert two.get(second.body["image"]).status == 200


def test_a_cover_that_is_gone_falls_back_to_the_ordinary_one(api, phone):
    """Packets outlive their pictures, and the first answer is given again as it was."""
    cover = upload(phone, shade()).body
    body = {"kind": "lucky", "total_fen": 100, "count": 1, "cover": cover["id"]}
    body["sender_id"] = phone.user_id
    sent = api.post("/v1/packets", body, once="gone")
    assert phone.call("DELETE", f"{OWN}/{cover['id']}").status == 204
    card = api.get(f"/v1/packets/{sent.body['id']}").body
    assert (card["cover"], "cover_image" in card) == ("", False)
    assert api.get(cover["image"]).status == 404
    again = api.post("/v1/packets", body, once="gone")
    assert (again.status, again.body["id"]) == (200, sent.body["id"])
    assert covered(api, phone.user_id, cover["id"]).code == "cover_unknown"


def test_an_operator_withdraws_a_cover_for_good(api, phone):
    """Seen in the list, taken away from everybody, written down, and it comes back for nobody."""
    body = shade()
    cover = upload(phone, body).body
    listed = api.get("/v1/covers?limit=1").body["covers"][0]
    assert (listed["id"], listed["user_id"]) == (cover["id"], phone.user_id)
    path = f"/v1/covers/{cover['id']}/withdrawal"
    assert phone.post(path).status == 403
    assert api.post(path).status == 204
    assert [api.post(path).status, api.get(cover["image"]).status] == [404, 404]
    assert phone.get(OWN).body["covers"] == []
    for person in (phone, phone_of(api, api.user())):
        told = upload(person, body)
        assert (told.status, told.code) == (409, "cover_withdrawn")
    assert "withdrawn_at" in api.get("/v1/covers?limit=1").body["covers"][0]
    acts = api.get("/v1/acts?limit=4").body["acts"]
    assert [(each["subject"], each["status"]) for each in acts] == [
        (path, 404), (path, 0), (path, 204), (path, 0)
    ]  # fmt: skip


def test_the_list_of_covers_comes_in_pages(api, phone):
    """Every cover once, the newest first; only who answers for people may read it."""
    made = [upload(phone, shade()).body["id"] for _ in range(3)]
    found, cursor = [], ""
    while cursor is not None and len(found) < 3:
        page = api.get(f"/v1/covers?limit=2{cursor and '&cursor=' + cursor}").body
        found += [each["id"] for each in page["covers"]]
        cursor = page["next_cursor"]
    assert found[:3] == made[::-1]
    assert api.get("/v1/covers?cursor=zz").status == 422


def test_an_app_uploads_for_its_people(house, api):
    """With the scopes of whoever may send for them, and no fewer."""
    user = api.user()
    path = f"/v1/users/{user}/covers"
    app = house.caller(Scope.WRITE_PACKETS, Scope.ACT_USERS)
    assert upload(app, shade(), path=path).status == 201
    assert upload(house.caller(Scope.WRITE_PACKETS), shade(), path=path).code == "scope_missing"
    assert upload(app, shade()).status == 404
    assert upload(app, shade(), path="/v1/users/us_00006D3YKS8YZ1M6TQ5C4JX0AB/covers").status == 404


def test_an_app_goes_on_using_words_of_its_own(api):
    """What is no id of a picture is the app's own word, and no picture is looked for."""
    sender = api.rich()
    sent = covered(api, sender, "spring-2027")
    card = api.get(f"/v1/packets/{sent.body['id']}").body
    assert (card["cover"], "cover_image" in card) == ("spring-2027", False)


def test_a_picture_lies_sealed(house, api, phone):
    """Whoever has the file has no face out of it."""
    told = upload(phone, shade())
    kept = Caller(api.port, "").get(told.body["image"]).body
    files = [house.folder / name for name in ("ledger.db", "ledger.db-wal")]
    stored = b"".join([file.read_bytes() for file in files if file.exists()])
    assert kept[100:200] not in stored
    assert b"covers_by_user" in stored, "the control"
