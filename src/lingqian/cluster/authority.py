"""The authority: makes itself once, then short-lived credentials for processes (证书签发).

Law: a credential says a name, the hosts it answers for and its roles, and nothing else; it ends
within days, so that one which got away ends by itself. The authority's key never leaves its folder.
Source: RFC 5280; house rule for lifetimes and roles, decisions/0026.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lingqian.cluster.role import Role
from lingqian.kernel.fault import Damaged

AUTHORITY: Final = "authority.pem"
AUTHORITY_KEY: Final = "authority.key"
CREDENTIAL: Final = "credential.pem"
ROLE_URN: Final = "urn:lingqian:role:"
HOURS_DEFAULT: Final = 24
HOURS_MAX: Final = 31 * 24
AUTHORITY_DAYS: Final = 3_650
# Clocks of two machines differ; a credential is good a little before it was made.
_EARLY: Final = dt.timedelta(minutes=5)
_OWN_ONLY: Final = 0o600
_ANYBODY: Final = 0o644


class Wish(NamedTuple):
    """A credential that is asked for.   Units: hours."""

    name: str
    roles: tuple[Role, ...]
    hosts: tuple[str, ...]
    hours: int = HOURS_DEFAULT


class _Authority(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_authority(folder: Path, now: dt.datetime, days: int = AUTHORITY_DAYS) -> None:
    """Make a new authority in a folder that has none.

    Raises: FileExistsError, for its credentials would all end with the old one.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / AUTHORITY_KEY).exists():
        raise FileExistsError(f"{folder} already holds an authority")
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Lingqian authority")
    certificate = (
        _builder(name, name, key.public_key(), (now - _EARLY, now + dt.timedelta(days=days)))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .sign(key, SHA256())
    )
    _write(folder / AUTHORITY_KEY, _private(key), _OWN_ONLY)
    _write(folder / AUTHORITY, certificate.public_bytes(Encoding.PEM), _ANYBODY)


def issue(authority: Path, folder: Path, wish: Wish, now: dt.datetime) -> None:
    """Put a new credential into a process's folder, in one step: what is there is never half.

    The one before it goes on being good until it ends; a running process takes the new one up.
    Raises: Damaged when the authority cannot sign now; ValueError when the wish is none.
    """
    signer = _open(authority)
    until = now + dt.timedelta(hours=wish.hours)
    if until > signer.certificate.not_valid_after_utc:
        end = signer.certificate.not_valid_after_utc.isoformat()
        raise Damaged(f"the authority ends {end}, before this credential would")
    key = ec.generate_private_key(ec.SECP256R1())
    subject, span = _named(wish.name), (now - _EARLY, until)
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(subject, signer.certificate.subject, key.public_key(), span)
        .add_extension(own, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(ends), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(_said(wish))), critical=False)
        .sign(signer.key, SHA256())
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / AUTHORITY, (authority / AUTHORITY).read_bytes(), _ANYBODY)
    both = _private(key) + certificate.public_bytes(Encoding.PEM)
    _write(folder / CREDENTIAL, both, _OWN_ONLY)


def _write(path: Path, content: bytes, rights: int) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def check_private(path: Path) -> None:
    """Refuse a file with a key that others than its owner can read.

    Raises: Damaged; OSError when there is none.
    """
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise Damaged(f"{path} can be read by others; chmod 600 it")


def _open(folder: Path) -> _Authority:
    try:
        check_private(folder / AUTHORITY_KEY)
        certificate = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        key = load_pem_private_key((folder / AUTHORITY_KEY).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise Damaged(f"{folder} holds no authority that can sign: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        raise Damaged(f"{folder} holds a certificate and a key that do not belong together")
    return _Authority(certificate, key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    span: tuple[dt.datetime, dt.datetime],
) -> x509.CertificateBuilder:
    """Return what both kinds of certificate begin with."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _said(wish: Wish) -> Iterable[x509.GeneralName]:
    """Yield the hosts and roles of a credential.

    Raises: ValueError for a host that is neither a name nor an address.
    """
    for host in wish.hosts:
        try:
            yield x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            yield x509.DNSName(host)
    for role in wish.roles:
        yield x509.UniformResourceIdentifier(ROLE_URN + role)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def roles_in(names: Sequence[str]) -> tuple[Role, ...]:
    """Return the roles that addresses of a certificate name; what is no role of ours is nothing."""
    known = {ROLE_URN + role: role for role in Role}
    return tuple(known[name] for name in names if name in known)
