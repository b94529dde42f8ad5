"""Chat cards, and the page at a packet's link: what they say, and above all what they do not."""

import http.client
import io
import json
import re
from html import unescape

import pytest
from PIL import Image

import picture
from api.caller import Caller, running
from api.phone import phone_of
from lingqian.kernel.id import parse

NOBODYS = "rp_00006D3YKT4Q8XW1E2Z7M5N9CD"
XSS = '"><script>alert(1)</script>'


def chat_card(caller, packet, viewer=None):
    """Read a packet's chat card."""
    return caller.get(f"/v1/packets/{packet}/chat-card{f'?viewer_id={viewer}' if viewer else ''}")


@pytest.fixture
def talk(api):
    """A conversation of two, and a packet of the first in it."""
    sender, member = api.rich(nickname="小明"), api.user("阿婆")
    name = f"chat-{sender}"
    path = f"/v1/conversations/{name}/members"
    assert api.call("PUT", path, {"member_ids": [sender, member]}).status == 200
    packet = api.packet(sender, conversation_id=name, greeting="新年快乐", cover="plum")
    return packet, sender, member, name


def test_a_chat_card_is_all_that_a_client_needs(api, talk):
    """An app draws it without asking again: words in two languages, links, a way to refresh."""
    packet, _, _, name = talk
    told = chat_card(api, packet)
    assert told.status == 200, told
    card = told.body
    origin = f"http://127.0.0.1:{api.port}"
    assert (card["version"], card["type"], card["packet_id"]) == (1, "lingqian.packet", packet)
    assert card["title"] == {"zh": "小明的红包", "en": "小明's packet"}
    assert (card["greeting"], card["cover"]) == ("新年快乐", {"name": "plum"})
    assert card["status"] == {"name": "openable", "zh": "领取红包", "en": "Open it"}
    assert card["alt"]["zh"] == "小明的红包：新年快乐。领取红包"
    assert (card["conversation_id"], card["kind"], card["state"]) == (name, "lucky", "open")
    assert card["links"]["page"] == f"{origin}/packets/{packet}"
    for link in ("page", "image", "refresh"):
        path = card["links"][link].removeprefix(origin)
        assert api.get(path).status == 200, link
    body = {"user_id": api.user(), "path": card["links"]["path"]}
    assert api.post("/v1/session-links", body).status == 201


def test_a_chat_card_holds_no_money_and_nobody_elses_luck(api, talk):
    """It lies in a talk for ever, before everybody's eyes: not even the sender's copy has a sum."""
    packet, sender, member, _ = talk
    api.claim(packet, member)
    for viewer in (None, sender, member):
        text = json.dumps(chat_card(api, packet, viewer).body)
        assert not re.search(r"_fen|count|amount|1000|阿婆|claims", text), viewer


def test_a_chat_card_says_what_the_packet_is_to_its_viewer(api, talk):
    """The same packet: opened by one, open to another, over for both when it is."""
    packet, sender, member, _ = talk
    api.claim(packet, member)
    names = [chat_card(api, packet, each).body["status"]["name"] for each in (member, sender, None)]
    assert names == ["claimed", "openable", "openable"]
    api.claim(packet, sender)
    assert chat_card(api, packet).body["status"]["name"] == "finished"
    assert chat_card(phone_of(api, member), packet).body["status"]["name"] == "claimed"


def test_a_chat_card_is_nobodys_outside_the_talk(api, talk):
    """A stranger gets the answer of a packet that is not."""
    packet, _, member, _ = talk
    stranger = phone_of(api, api.user())
    told = [chat_card(stranger, each) for each in (packet, NOBODYS)]
    assert told[0].status == told[1].status == 404
    assert told[0].body == told[1].body
    assert chat_card(stranger, packet, member).code == "not_yourself"


def test_every_kind_and_every_end_has_its_words(api):
    """No client meets a card without a line on it."""
    sender, other = api.rich(), api.user()
    wishes = [{"kind": "equal", "each_fen": 10}, {"kind": "passphrase", "passphrase": "开门"},
              {"kind": "targeted", "total_fen": 10, "recipient_ids": [other]}]  # fmt: skip
    for wish in wishes:
        card = chat_card(api, api.packet(sender, **wish)).body
        assert (card["kind"], bool(card["label"]["zh"])) == (wish["kind"], True)
    packet = api.packet(sender, await_entropy=True)
    assert chat_card(api, packet).body["status"]["name"] == "not_open"
    assert api.post(f"/v1/packets/{packet}/invalidation", {"by": "wang.li"}).status == 200
    assert chat_card(api, packet).body["status"]["name"] == "invalidated"
    assert chat_card(phone_of(api, other), packet).status == 200


def test_a_cover_of_ones_own_has_a_whole_address(api):
    """The chat's client is on another origin."""
    phone = phone_of(api, api.rich())
    headers = {"Content-Type": picture.JPEG}
    cover = phone.call("POST", "/v1/users/me/covers", raw=picture.painted(), headers=headers).body
    card = chat_card(api, api.packet(phone.user_id, cover=cover["id"])).body
    assert card["cover"]["image"] == f"http://127.0.0.1:{api.port}{cover['image']}"


def test_the_page_of_a_packet_says_nothing_of_it(api, talk):
    """Whoever has the link, or guesses one, sees the same; no crawler reads a name."""
    packet, sender, member, _ = talk
    anybody = Caller(api.port, "")
    page = anybody.get(f"/packets/{packet}")
    assert page.status == 200
    text = page.body.decode()
    assert not [word for word in ("小明", "新年", sender, member, "plum", "1000") if word in text]
    other = anybody.get(f"/packets/{NOBODYS}").body.decode()
    cut = re.compile(r"<svg.*?</svg>", re.DOTALL)
    assert cut.sub("", text).replace(packet, "") == cut.sub("", other).replace(NOBODYS, "")
    assert anybody.get("/packets/nothing").status == 404


def test_the_page_has_a_preview_and_a_way_in(api, talk):
    """Open Graph wants whole addresses; the button leads to the envelope in the wallet."""
    packet = talk[0]
    text = Caller(api.port, "").get(f"/packets/{packet}").body.decode()
    found = dict(re.findall(r'<meta property="(og:[\w:]+)" content="([^"]*)">', text))
    here = f"http://127.0.0.1:{api.port}/packets/{packet}"
    assert (found["og:url"], found["og:image"]) == (here, f"{here}/card.png")
    assert {"og:title", "og:type", "og:description", "og:image:alt"} <= set(found)
    assert f'href="/wallet#/open/{packet}"' in text
    assert '<meta name="robots" content="noindex">' in text


def test_the_page_runs_nothing(api, talk):
    """No script, no form, no frame; its one style is allowed by its digest and by nothing else."""
    page = Caller(api.port, "").get(f"/packets/{talk[0]}")
    rules = page.headers["content-security-policy"]
    assert rules.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in rules
    assert "frame-ancestors 'none'" in rules
    text = page.body.decode()
    assert "<script" not in text
    assert " style=" not in text
    assert " on" not in re.sub(r'"[^"]*"', "", "".join(re.findall(r"<[^>]+>", text)))


def test_the_picture_is_one_and_its_code_leads_to_the_page(api, talk):
    """The code is compared to one made by the library from the address that the card names."""
    segno = pytest.importorskip("segno")
    link = chat_card(api, talk[0]).body["links"]
    told = Caller(api.port, "").get(link["image"].partition(str(api.port))[2])
    assert (told.status, told.headers["content-type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(told.body)).convert("L")
    assert image.size == (1200, 630)
    rows = [list(row) for row in segno.make(link["page"], error="m", micro=False).matrix]
    assert read_code(image, len(rows)) == rows


def read_code(image, size):
    """Read the dark squares of a code back from its picture."""
    dark = image.point(lambda shade: 255 * (shade < 10))
    left, top, right, bottom = dark.getbbox()
    assert right - left == bottom - top
    step = (right - left) / size
    return [
        [int(dark.getpixel((left + (x + 0.5) * step, top + (y + 0.5) * step)) > 0)
         for x in range(size)]
        for y in range(size)
    ]  # fmt: skip


@pytest.mark.parametrize("host", [XSS, "a" * 300, "x y", "evil.example/a", "", "user@evil.example"])
def test_a_host_that_is_no_name_is_not_repeated(api, host):
    """The host is the caller's word: it stands in no page and in no code unless it is a name."""
    for path in (f"/packets/{NOBODYS}", f"/packets/{NOBODYS}/card.png"):
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode("latin-1")
        connection.close()
        assert answer.status in (400, 404)
        assert not host or host not in unescape(body)


def test_the_public_name_goes_before_the_callers_word(tmp_path):
    """Behind a proxy an address in a chat has to be the one that people reach."""
    with running(tmp_path / "house", public_origin="https://pay.example") as house:
        shop = house.caller()
        packet = shop.packet(shop.rich())
        card = chat_card(shop, packet).body
        assert card["links"]["page"] == f"https://pay.example/packets/{packet}"
        assert parse("rp", card["packet_id"]) is not None
        page = shop.get(f"/packets/{packet}", headers={"Host": "evil.example"}).body.decode()
        assert "evil" not in page
