"""Platform keys: several at once, by exact serial, fetched in time and not as often as a forger."""

import asyncio
import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import TradeState
from lingqian.channels.wechatpay.keystore import (
    Keystore,
    open_certificates,
    read_certificate,
    read_public_key,
)
from lingqian.channels.wechatpay.suite import RSA
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Rejected, Unsent
from unit.channels.platform import (
    API_KEY,
    NOW_S,
    NOW_US,
    PLATFORM_KEY,
    PUBLIC_ID,
    STRANGER_KEY,
    certificate,
    channel,
    hosts,
    notice,
    public_pem,
    seal,
    sign,
    transaction,
    write_keys,
)

OLD, NEW = 0x5157F09EFDC096DE15EBE81A47057A7232F1B8E1, 0x0A
AEAD = RSA.aead(API_KEY)


def listed(*pairs, api_key=API_KEY):
    """Return the answer of `/v3/certificates`."""
    rows = []
    for key, serial in pairs:
        pem = certificate(key, serial)
        sealed = seal(pem, api_key=api_key, associated="certificate")
        rows.append({"serial_no": f"{serial:X}", "encrypt_certificate": sealed})
    return json.dumps({"data": rows}).encode()


def by_certificate(folder, urls):
    """Return the settings of an account that fetches its certificates."""
    row = write_keys(folder)
    changes = {"mode": "certificate", "public_key_file": "", "public_key_id": "", "hosts": urls}
    return msgspec.structs.replace(row, **changes)


def run(folder, scene, now_us=NOW_US):
    """Play a scene with an account in certificate mode."""

    async def play():
        async with hosts(1) as ((host,), urls):
            clock = [now_us]
            account = channel(by_certificate(folder, urls))
            account.client.way = account.client.way._replace(clock=lambda: clock[0])
            try:
                return await scene(account, host, clock)
            finally:
                await account.close_session()

    return asyncio.run(asyncio.wait_for(play(), 30))


def say_list(host, *pairs, key=PLATFORM_KEY, serial=OLD, **more):
    """Let a host answer with certificates."""
    body = listed(*pairs, **more)
    host.say(200, body, sign(body, key=key, serial=f"{serial:X}").headers, signed=False)


def say_order(host, *, key=PLATFORM_KEY, serial=OLD, at_s=NOW_S):
    """Let a host answer with a paid order."""
    body = json.dumps(transaction(out_trade_no="pa_1")).encode()
    headers = sign(body, key=key, serial=f"{serial:X}", at_s=at_s).headers
    host.say(200, body, headers, signed=False)


def test_the_first_certificates_verify_the_answer_that_brought_them(tmp_path):
    """There is nothing else to verify them with; the APIv3 key has opened them."""

    async def scene(account, host, _clock):
        say_list(host, (PLATFORM_KEY, OLD))
        say_order(host)
        assert (await account.query("pa_1")).state is TradeState.PAID
        assert account.client.keys.serials() == (f"{OLD:X}",)

    run(tmp_path, scene)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": STRANGER_KEY},
        {"serial": NEW},
        {"api_key": API_KEY[::-1]},
    ],
)
def test_certificates_that_do_not_verify_are_not_taken(tmp_path, wrong):
    """And the call that needed them has not been sent."""

    async def scene(account, host, _clock):
        say_list(host, (PLATFORM_KEY, OLD), **wrong)
        with pytest.raises(Unsent):
            await account.query("pa_1")
        assert account.client.keys.serials() == ()
        assert len(host.requests) == 1

    run(tmp_path, scene)


def test_rotation_keeps_both_and_an_unknown_serial_asks_once_a_minute(tmp_path):
    """In the gradual shift both sign; a forger's serials must not make us ask all the time."""

    async def scene(account, host, clock):
        say_list(host, (PLATFORM_KEY, OLD))
        say_order(host)
        await account.query("pa_1")
        clock[0] += 60 * SECOND_US
        now_s = clock[0] // SECOND_US
        say_order(host, key=STRANGER_KEY, serial=NEW, at_s=now_s)
        say_list(host, (PLATFORM_KEY, OLD), (STRANGER_KEY, NEW))
        assert (await account.query("pa_1")).state is TradeState.PAID
        assert set(account.client.keys.serials()) == {f"{OLD:X}", f"{NEW:X}"}
        asked = len(host.requests)
        say_order(host, serial=0xBAD)
        say_order(host, serial=0xBAD)
        with pytest.raises(BadSignature):
            await account.query("pa_1")
        assert len(host.requests) == asked + 2
        say_order(host, at_s=now_s)
        await account.query("pa_1")

    run(tmp_path, scene)


def test_certificates_are_asked_for_again_after_twelve_hours(tmp_path):
    """The platform's advice; and its being down then stops nothing."""

    async def scene(account, host, clock):
        say_list(host, (PLATFORM_KEY, OLD))
        say_order(host)
        await account.query("pa_1")
        clock[0] += 12 * 3_600 * SECOND_US - 1
        say_order(host, at_s=clock[0] // SECOND_US)
        await account.query("pa_1")
        clock[0] += 1
        host.say(500)
        say_order(host, at_s=clock[0] // SECOND_US)
        assert (await account.query("pa_1")).state is TradeState.PAID
        return [request.target.partition("?")[0] for request in host.requests]

    targets = run(tmp_path, scene)
    assert targets.count("/v3/certificates") == 2


def test_a_notice_of_an_unknown_serial_fetches_certificates_for_its_next_coming(tmp_path):
    """It is refused now, and sent again in fifteen seconds."""

    async def scene(account, host, _clock):
        sealed = notice(serial=f"{OLD:X}")
        say_list(host, (PLATFORM_KEY, OLD))
        with pytest.raises(BadSignature):
            account.parse_notice(sealed.headers, sealed.body, NOW_US)
        await account.client._refreshing
        account.parse_notice(sealed.headers, sealed.body, NOW_US)

    run(tmp_path, scene)


def test_an_expired_certificate_verifies_nothing():
    """A key that was once stolen must not be good for ever."""
    keys = Keystore(RSA)
    keys.add(read_certificate(RSA, certificate(PLATFORM_KEY, OLD, days=2)))
    sealed = sign(b"{}", serial=f"{OLD:X}")
    keys.verify(sealed.headers, sealed.body, NOW_US)
    late_s = NOW_S + 86_400
    late = sign(b"{}", serial=f"{OLD:X}", at_s=late_s)
    with pytest.raises(BadSignature, match="expired"):
        keys.verify(late.headers, late.body, late_s * SECOND_US)


def test_both_kinds_of_key_stand_side_by_side():
    """In the days of switching, messages come signed by either."""
    keys = Keystore(RSA)
    keys.add(read_certificate(RSA, certificate(STRANGER_KEY, OLD)))
    keys.add(read_public_key(RSA, PUBLIC_ID, public_pem(PLATFORM_KEY)))
    for key, serial in ((STRANGER_KEY, f"{OLD:X}"), (PLATFORM_KEY, PUBLIC_ID)):
        sealed = sign(b"{}", key=key, serial=serial)
        assert keys.verify(sealed.headers, sealed.body, NOW_US) == NOW_US
        with pytest.raises(BadSignature):
            keys.verify({**sealed.headers, "wechatpay-serial": serial.lower()}, b"{}", NOW_US)


def test_fields_are_sealed_with_the_named_key_or_the_newest_certificate():
    """The platform opens with what the header names."""
    keys = Keystore(RSA)
    with pytest.raises(Unsent):
        keys.for_sealing("", NOW_US)
    keys.add(read_certificate(RSA, certificate(PLATFORM_KEY, OLD)))
    keys.add(read_certificate(RSA, certificate(PLATFORM_KEY, NEW, from_s=NOW_S - 60)))
    keys.add(read_certificate(RSA, certificate(PLATFORM_KEY, 0xF, from_s=NOW_S + 60)))
    keys.add(read_public_key(RSA, PUBLIC_ID, public_pem(PLATFORM_KEY)))
    assert keys.for_sealing("", NOW_US).serial == "A"
    assert keys.for_sealing(PUBLIC_ID, NOW_US).serial == PUBLIC_ID


def test_a_public_key_without_its_prefix_is_refused():
    """The prefix belongs to the serial, and losing it loses every message."""
    with pytest.raises(ValueError, match="PUB_KEY_ID_"):
        read_public_key(RSA, PUBLIC_ID.removeprefix("PUB_KEY_ID_"), public_pem(PLATFORM_KEY))


def test_a_certificate_under_another_serial_is_refused():
    """The list says a serial, and so does the certificate itself."""
    body = listed((PLATFORM_KEY, OLD)).replace(f'"{OLD:X}"'.encode(), b'"5157"')
    with pytest.raises(Rejected, match="certificates_malformed"):
        open_certificates(RSA, AEAD, body)


@given(st.binary(max_size=200))
def test_certificate_answers_of_any_kind_are_refused(body):
    """Before they are verified they are a stranger's bytes."""
    with pytest.raises(Rejected):
        open_certificates(RSA, AEAD, body)


@given(st.binary(max_size=300), st.text(max_size=16), st.text(max_size=16))
def test_sealed_certificates_of_any_kind_are_refused(sealed, nonce, associated):
    """The opener must not crash on what does not open, nor on what opens to nonsense."""
    kept = {"nonce": nonce, "associated_data": associated}
    text = base64.b64encode(sealed).decode()
    row = {"serial_no": "A", "encrypt_certificate": {**kept, "ciphertext": text}}
    with pytest.raises(Rejected):
        open_certificates(RSA, AEAD, json.dumps({"data": [row]}).encode())
    opened = seal(sealed, associated="certificate")
    row = {"serial_no": "A", "encrypt_certificate": opened}
    with pytest.raises(Rejected):
        open_certificates(RSA, AEAD, json.dumps({"data": [row]}).encode())
