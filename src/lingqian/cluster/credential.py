"""A process's own credential: both ends of TLS 1.3 between processes, and who the other is (证书).

Law: nobody is answered without a chain to our authority and a role that may ask. Files are read
again when they change; what cannot be read then leaves the one before in use, and is told.
Units: seconds since 1970.
"""

import logging
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    IPAddress,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_der_x509_certificate,
    load_pem_x509_certificate,
)
from cryptography.x509.oid import NameOID

from lingqian.cluster.authority import AUTHORITY, CREDENTIAL, check_private, roles_in
from lingqian.cluster.role import RIGHTS, Call, Role
from lingqian.kernel.fault import Damaged

_log = logging.getLogger(__name__)


class Peer(NamedTuple):
    """Whom a certificate names; `until_s`: when it ends, and with it what was opened by it."""

    name: str
    roles: frozenset[Role]
    hosts: tuple[str, ...]
    since_s: float
    until_s: float


class _Pair(NamedTuple):
    """The contexts made of the files as they were at one moment."""

    stamp: tuple[tuple[int, int, int], ...]
    server: ssl.SSLContext
    client: ssl.SSLContext
    own: Peer


class Credential:
    """Serves and calls under one folder's files: `authority.pem` and `credential.pem`.

    Opening raises: Damaged, naming the file that cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pair = _read(folder, _stamp(folder))
        # The stamp of files that could not be used, so that each is told once.
        self._refused: object = None
        self._front = _server(folder)
        self._front.sni_callback = self._turn

    def _turn(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:  # noqa: ANN401 - a socket or an object of ssl
        """Let each connection begin under the files as they are now."""
        del name, context
        connection.context = self._fresh().server

    def _fresh(self) -> _Pair:
        try:
            stamp = _stamp(self._folder)
            if stamp not in (self._pair.stamp, self._refused):
                self._refused = stamp
                self._pair = _read(self._folder, stamp)
        except Damaged as fault:
            _log.error("%s; the credential before it goes on", fault)
        return self._pair

    @property
    def server(self) -> ssl.SSLContext:
        """What serves: one object for the life of a process, new files for each connection."""
        return self._front

    @property
    def client(self) -> ssl.SSLContext:
        """What calls: ask for it before each connection."""
        return self._fresh().client

    @property
    def own(self) -> Peer:
        """Who we are, as others see us."""
        return self._fresh().own

    @property
    def broker_settings(self) -> dict[str, str]:
        """The same for librdkafka, which reads the files itself when it starts."""
        own = str(self._folder / CREDENTIAL)
        return {
            "security.protocol": "ssl",
            "ssl.ca.location": str(self._folder / AUTHORITY),
            "ssl.certificate.location": own,
            "ssl.key.location": own,
            "ssl.endpoint.identification.algorithm": "https",
        }


def _stamp(folder: Path) -> tuple[tuple[int, int, int], ...]:
    """Say of both files which ones they are.

    Raises: Damaged when one is missing.
    """
    try:
        found = [(folder / name).stat() for name in (AUTHORITY, CREDENTIAL)]
    except OSError as error:
        raise Damaged(f"{folder} holds no credential: {error}") from error
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in found)


def _read(folder: Path, stamp: tuple[tuple[int, int, int], ...]) -> _Pair:
    return _Pair(stamp, _server(folder), _client(folder), read_own(folder))


def _server(folder: Path) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_SERVER, folder)
    context.verify_mode = ssl.CERT_REQUIRED
    # Who resumes a session is not asked for a certificate again: not even for one that has ended.
    context.num_tickets = 0
    return context


def _client(folder: Path) -> ssl.SSLContext:
    # Names are checked by default here; a caller always knows whom it wants.
    return _context(ssl.PROTOCOL_TLS_CLIENT, folder)


def _context(side: int, folder: Path) -> ssl.SSLContext:
    path = folder / CREDENTIAL
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        check_private(path)
        context.load_verify_locations(folder / AUTHORITY)
        context.load_cert_chain(path)
    except (OSError, ssl.SSLError) as error:
        raise Damaged(f"{path} cannot be used under {folder / AUTHORITY}: {error}") from error
    return context


def read_own(folder: Path) -> Peer:
    """Return whom a folder's credential names.

    Raises: Damaged.
    """
    path = folder / CREDENTIAL
    try:
        return _peer(load_pem_x509_certificate(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path} holds no certificate: {error}") from error


def peer_of(connection: ssl.SSLSocket | ssl.SSLObject | None) -> Peer:
    """Return who is at the other end of a connection whose handshake is done.

    Raises: PermissionError when nobody has shown who they are.
    """
    shown = None if connection is None else connection.getpeercert(binary_form=True)
    if shown is None:
        raise PermissionError("the other end has not shown who it is")
    return _peer(load_der_x509_certificate(shown))


def check_caller(peer: Peer, call: Call) -> None:
    """Refuse a call that none of the caller's roles may make.

    Raises: PermissionError.
    """
    _check(peer, call, RIGHTS[call].callers, "may not ask for")


def check_answerer(peer: Peer, call: Call) -> None:
    """Refuse to call a process that is not the one to answer.

    Raises: PermissionError.
    """
    _check(peer, call, RIGHTS[call].answerers, "may not answer")


def _check(peer: Peer, call: Call, allowed: frozenset[Role], words: str) -> None:
    if not peer.roles & allowed:
        roles = ", ".join(sorted(peer.roles)) or "no role"
        raise PermissionError(f"{peer.name} ({roles}) {words} {call}")


def _peer(certificate: Certificate) -> Peer:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        said = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        said = SubjectAlternativeName([])
    hosts = [*said.get_values_for_type(DNSName), *said.get_values_for_type(IPAddress)]
    return Peer(
        str(names[0].value) if names else "",
        frozenset(roles_in(said.get_values_for_type(UniformResourceIdentifier))),
        tuple(str(host) for host in hosts),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )
