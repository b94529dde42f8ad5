"""Transport: TLS 1.3 and nothing older, who may frame the wallet, what disk data lies on."""

import datetime as dt
import http.client
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from api.caller import UNENCRYPTED, running
from lingqian.compose import Config, Wallet
from lingqian.kernel.fault import Damaged, Unsent
from lingqian.storage.volume import is_crypt
from lingqian.web.server import open_tls


def certified(folder):
    """Write a certificate of this machine and its key; return the settings that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    (folder / "tls.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.key").write_bytes(plain)
    (folder / "tls.key").chmod(0o600)
    return {"tls_certificate": "tls.pem", "tls_key": "tls.key"}


def ask(port, folder, path="/livez", newest=None):
    """Ask over TLS; return the version spoken, the headers and the status."""
    context = ssl.create_default_context(cafile=folder / "tls.pem")
    if newest is not None:
        context.maximum_version = newest
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return connection.sock.version(), answer.headers, answer.status
    finally:
        connection.close()


def test_a_certificate_is_all_that_tls_needs(tmp_path):
    """TLS 1.3; a client that knows only 1.2 is turned away; who has come stays with TLS."""
    folder = tmp_path / "house"
    with running(folder, **certified(folder)) as house:
        version, headers, status = ask(house.port, folder)
        assert (version, status) == ("TLSv1.3", 200)
        assert headers["strict-transport-security"] == "max-age=31536000"
        with pytest.raises(ssl.SSLError):
            ask(house.port, folder, newest=ssl.TLSVersion.TLSv1_2)
        plain = http.client.HTTPConnection("127.0.0.1", house.port, timeout=10)
        plain.request("GET", "/livez")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()


def test_a_key_that_others_can_read_serves_nothing(tmp_path):
    """Nor does one that is missing, or fits another certificate."""
    row = certified(tmp_path)
    (tmp_path / "tls.key").chmod(0o644)
    with pytest.raises(Damaged, match="chmod 600"):
        open_tls(tmp_path, row["tls_certificate"], row["tls_key"])
    certified(tmp_path / "other")
    (tmp_path / "tls.key").unlink()
    with pytest.raises(Damaged, match="cannot serve TLS"):
        open_tls(tmp_path, row["tls_certificate"], row["tls_key"])
    with pytest.raises(Damaged, match="cannot serve TLS"):
        open_tls(tmp_path, "tls.pem", "other/tls.key")
    assert open_tls(tmp_path, "", "") is None


def test_half_a_certificate_is_no_setting():
    """Silently serving without TLS would be the worst answer."""
    with pytest.raises(ValueError, match="together"):
        Config(tls_certificate="tls.pem")


def test_only_named_sites_may_frame_the_wallet(tmp_path):
    """Clickjacking: nobody by default; an integrator's WebView page when it is named."""
    own = "frame-ancestors 'self'"
    app = "https://app.example"
    for sites, told in (((), f"{own};"), ((app,), f"{own} {app};")):
        with running(tmp_path / str(len(sites)), frame_ancestors=sites) as house:
            headers = house.caller().get("/wallet").headers
            assert told in headers["content-security-policy"]
            assert "script-src 'self';" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert "geolocation=()" in headers["permissions-policy"]


def volume(devices, number, uuid, *slaves):
    """Make a device as the system shows them."""
    device = devices / number
    (device / "slaves").mkdir(parents=True)
    if uuid:
        (device / "dm").mkdir()
        (device / "dm" / "uuid").write_text(uuid)
    for slave in slaves:
        (device / "slaves" / slave.name).symlink_to(slave)
    return device


def test_an_encrypted_volume_is_seen_through_what_stands_on_it(tmp_path):
    """LUKS alone, and below LVM; one bare part among several is not encrypted."""
    crypt = volume(tmp_path, "253:0", "CRYPT-LUKS2-0123-data")
    bare = volume(tmp_path, "8:9", "")
    made = volume(tmp_path, "253:7", "LVM-0123", crypt)
    mixed = volume(tmp_path, "253:8", "LVM-0456", crypt, bare)
    found = [is_crypt(each) for each in (crypt, bare, made, mixed, tmp_path / "none")]
    assert found == [True, False, True, False, False]


def test_real_people_need_an_encrypted_disk_or_a_reason(tmp_path, monkeypatch):
    """The sandbox does not ask; another profile starts only with one of the two."""
    monkeypatch.setattr("lingqian.storage.volume.is_encrypted", lambda _: False)
    with pytest.raises(Damaged, match="unencrypted_volume_because"):
        Wallet(tmp_path / "a", Config(profile="closed_loop"))
    Wallet(tmp_path / "b", Config(profile="closed_loop", **UNENCRYPTED)).close()
    Wallet(tmp_path / "c", Config()).close()
    monkeypatch.setattr("lingqian.storage.volume.is_encrypted", lambda _: True)
    Wallet(tmp_path / "d", Config(profile="licensed")).close()


def test_real_people_need_a_sealed_way_to_the_database_or_a_reason(tmp_path):
    """It is refused before anything is sent; a reason, and only that, goes on to the server."""
    there = {"profile": "closed_loop", "database": "mysql://w@127.0.0.1:9/l", **UNENCRYPTED}
    with pytest.raises(Damaged, match="unencrypted_traffic_because"):
        Wallet(tmp_path / "a", Config(**there))
    with pytest.raises(Unsent):
        Wallet(tmp_path / "b", Config(**there, unencrypted_traffic_because="a test"))
