"""Tables of operation checked: not journalled, so held to shapes and to each other (运营表核对).

Nothing here is money. Source: migrations 0002, 0009, 0010, 0012, 0014 to 0018, 0020.
"""

from collections.abc import Iterator
from typing import Final

from lingqian.identity.real_name import RealName
from lingqian.kernel.fault import Damaged
from lingqian.storage.act import broken_acts
from lingqian.storage.cover import macs as cover_macs
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.port import Connection
from lingqian.storage.position import untrue_messages
from lingqian.storage.real_name import macs, open_told
from lingqian.storage.vault import Vault
from lingqian.storage.walk import LARGE_PAGE_ROWS, Way, walk

# Each query returns a key and words for every row that contradicts another or has no shape.
_QUERIES: Final[dict[str, str]] = {
    "settings": """
        SELECT name, 'a setting without a name or of another type' FROM settings
        WHERE name = '' OR typeof(name) <> 'text' OR typeof(value) <> 'text'
        """,
    "api_keys": """
        SELECT key_id, 'its digest is no SHA-256, or its times run backwards' FROM api_keys
        WHERE key_id = '' OR typeof(secret_digest) <> 'blob' OR length(secret_digest) <> 32
            OR created_at_us <= 0 OR (revoked_at_us <> 0 AND revoked_at_us < created_at_us)
        UNION ALL
        SELECT name, count(*) || ' good keys have this name' FROM api_keys
        WHERE revoked_at_us = 0 GROUP BY name HAVING count(*) > 1
        """,
    "endpoints": """
        SELECT endpoint_id, 'it has no address or secret, or its times run backwards'
        FROM endpoints
        WHERE url = '' OR length(secret_sealed) < 29 OR created_at_us <= 0
            OR (disabled_at_us <> 0 AND disabled_at_us < created_at_us)
        """,
    "endpoint_cursors": """
        SELECT c.endpoint_id || '/' || c.lane,
            'row ' || c.seq || ': there is no such endpoint, or it is beyond the journal'
        FROM endpoint_cursors c
        LEFT JOIN endpoints e ON e.endpoint_id = c.endpoint_id
        LEFT JOIN lanes l ON l.lane = c.lane
        WHERE e.endpoint_id IS NULL OR l.lane IS NULL OR c.seq < 0 OR c.seq >= l.next_seq
        """,
    "deliveries": """
        SELECT d.endpoint_id || '/' || d.event_id,
            'row ' || d.seq || ' of lane ' || d.lane || ': no such endpoint, or no such row'
        FROM deliveries d
        LEFT JOIN endpoints e ON e.endpoint_id = d.endpoint_id
        LEFT JOIN journal j ON j.lane = d.lane AND j.seq = d.seq
        WHERE e.endpoint_id IS NULL OR j.seq IS NULL OR d.tries < 0 OR d.due_at_us < 0
        """,
    "session_links": """
        SELECT hex(l.link_id), 'no digest, nobody of ours, no such session, or it never ran'
        FROM session_links l
        LEFT JOIN users u ON u.user_id = l.user_id
        LEFT JOIN sessions s ON s.session_id = l.session_id
        WHERE length(l.link_id) <> 16 OR length(l.token_digest) <> 32 OR u.user_id IS NULL
            OR l.created_at_us <= 0 OR l.expires_at_us <= l.created_at_us
            OR (l.session_id <> x'' AND (s.session_id IS NULL OR s.user_id <> l.user_id))
        """,
    "devices": """
        SELECT hex(d.device_id), 'nobody of ours, or its key or its name has no shape'
        FROM devices d
        LEFT JOIN users u ON u.user_id = d.user_id
        WHERE u.user_id IS NULL OR length(d.device_id) <> 16 OR length(d.thumbprint) <> 32
            OR length(d.name_sealed) < 29 OR d.created_at_us <= 0
        """,
    "sessions": """
        SELECT hex(s.session_id), 'not on a device of this person, or its times run backwards'
        FROM sessions s
        LEFT JOIN devices d ON d.device_id = s.device_id AND d.user_id = s.user_id
        WHERE d.device_id IS NULL OR length(s.session_id) <> 16 OR s.generation < 1
            OR s.is_confirmed NOT IN (0, 1) OR s.created_at_us <= 0
            OR s.rotated_at_us < s.created_at_us OR s.seen_at_us < s.created_at_us
            OR s.ends_at_us <= s.rotated_at_us
            OR (s.revoked_at_us <> 0 AND s.revoked_at_us < s.created_at_us)
        """,
    "payment_passwords": """
        SELECT hex(p.user_id), 'nobody of ours, or its hash, its tries or its times have no shape'
        FROM payment_passwords p
        LEFT JOIN users u ON u.user_id = p.user_id
        WHERE u.user_id IS NULL OR length(p.hashed) <> 49 OR hex(substr(p.hashed, 1, 1)) <> '01'
            OR p.set_at_us <= 0 OR p.tries NOT BETWEEN 0 AND 4 OR p.locks < 0
            OR (p.locked_until_us <> 0 AND (p.locks = 0 OR p.locked_until_us < p.set_at_us))
            OR (p.reset_at_us <> 0 AND p.reset_at_us < p.set_at_us)
        """,
    "payees": """
        SELECT hex(p.user_id) || '/' || hex(p.payee_mac), 'nobody of ours, or no digest'
        FROM payees p
        LEFT JOIN users u ON u.user_id = p.user_id
        WHERE u.user_id IS NULL OR length(p.payee_mac) <> 16 OR p.at_us <= 0
        """,
    "real_names": """
        SELECT hex(r.user_id), 'nobody of ours, or what was verified has no shape'
        FROM real_names r
        LEFT JOIN users u ON u.user_id = r.user_id
        WHERE u.user_id IS NULL OR r.checks NOT BETWEEN 0 AND 3 OR r.tries NOT BETWEEN 0 AND 5
            OR r.day < 0 OR (r.verified_at_us > 0) <> (r.checks > 0)
            OR (r.checks = 0 AND length(r.name_sealed) + length(r.number_sealed)
                + length(r.name_mac) + length(r.number_mac) > 0)
            OR (r.checks > 0 AND (length(r.name_mac) <> 16 OR length(r.number_mac) <> 16))
        UNION ALL
        SELECT hex(number_mac), count(*) || ' people have verified this number' FROM real_names
        WHERE number_mac <> x'' GROUP BY number_mac HAVING count(*) > 1
        """,
    "passkeys": """
        SELECT hex(p.credential_id), 'nobody of ours, or its key or its name has no shape'
        FROM passkeys p
        LEFT JOIN users u ON u.user_id = p.user_id
        WHERE u.user_id IS NULL OR length(p.credential_id) NOT BETWEEN 1 AND 1023
            OR length(p.x) <> 32 OR length(p.y) <> 32 OR p.counter NOT BETWEEN 0 AND 4294967295
            OR length(p.name_sealed) < 29 OR p.created_at_us <= 0
            OR (p.used_at_us <> 0 AND p.used_at_us < p.created_at_us)
        """,
    "operator_passkeys": """
        SELECT hex(p.credential_id), 'no such key, or its point, name or times have no shape'
        FROM operator_passkeys p
        LEFT JOIN api_keys k ON k.key_id = p.key_id
        WHERE k.key_id IS NULL OR length(p.credential_id) NOT BETWEEN 1 AND 1023
            OR length(p.x) <> 32 OR length(p.y) <> 32 OR p.counter NOT BETWEEN 0 AND 4294967295
            OR length(p.name_sealed) < 29 OR p.created_at_us <= 0
            OR (p.used_at_us <> 0 AND p.used_at_us < p.created_at_us)
            OR (p.used_at_us = 0) <> (p.challenge_us = 0) OR p.challenge_us < p.used_at_us
        """,
    "authenticators": """
        SELECT a.key_id, 'no such key, or its secret or its tries have no shape'
        FROM authenticators a
        LEFT JOIN api_keys k ON k.key_id = a.key_id
        WHERE k.key_id IS NULL OR length(a.secret_sealed) <> 49 OR a.last_step < 0
            OR a.tries NOT BETWEEN 0 AND 4 OR a.locked_until_us < 0 OR a.created_at_us <= 0
        """,
    "covers": """
        SELECT hex(c.cover_id), 'nobody of ours, or its picture, digests or times have no shape'
        FROM covers c
        LEFT JOIN users u ON u.user_id = c.user_id
        WHERE u.user_id IS NULL OR length(c.cover_id) <> 16 OR length(c.content_mac) <> 16
            OR (c.withdrawn_at_us = 0) <> (length(c.image_sealed) > 0) OR c.created_at_us <= 0
            OR (c.withdrawn_at_us <> 0 AND c.withdrawn_at_us < c.created_at_us)
        """,
    "cover_days": """
        SELECT hex(d.user_id), 'nobody of ours, or its day or its tries have no shape'
        FROM cover_days d
        LEFT JOIN users u ON u.user_id = d.user_id
        WHERE u.user_id IS NULL OR d.day < 0 OR d.tries NOT BETWEEN 1 AND 20
        """,
    "positions": """
        SELECT p.stream || '/' || p.lane, 'no such lane, or its topic has no shape'
        FROM positions p
        LEFT JOIN lanes l ON l.lane = p.lane
        WHERE l.lane IS NULL OR p.stream NOT IN ('commands', 'relay') OR length(p.topic) <> 16
            OR p.place < 0
        """,
    # A place that was gone has no bytes, and may lie behind a line that lost its end.
    "parked_messages": """
        SELECT hex(m.message_id), 'its lane has not read so far, or it has no shape'
        FROM parked_messages m
        LEFT JOIN positions p ON p.lane = m.lane AND p.stream = m.stream
        WHERE p.lane IS NULL
            OR (p.topic = m.topic AND p.place <= m.place AND length(m.sealed) > 29)
            OR length(m.message_id) <> 16 OR length(m.mac) <> 16 OR length(m.sealed) < 29
            OR m.reason = '' OR m.at_us <= 0
        """,
}
_COVERS: Final = Way(
    "covers", ("cover_id",), ("user_id", "content_mac", "image_sealed"), LARGE_PAGE_ROWS
)
_AUTHENTICATORS: Final = Way("authenticators", ("key_id",), ("secret_sealed",))
_REAL_NAMES: Final = Way("real_names", ("user_id",), RealName._fields)
_NAMED: Final = (
    Way("devices", ("device_id",), ("name_sealed",)),
    Way("passkeys", ("credential_id",), ("name_sealed",)),
    Way("operator_passkeys", ("credential_id",), ("name_sealed",)),
)
OPERATION_TABLES: Final = frozenset(_QUERIES) | {"acts"}


def operation_faults(connection: Connection, vault: Vault | None) -> Iterator[Finding]:
    """Yield what is wrong with the tables of operation."""
    for table, query in _QUERIES.items():
        for key, words in connection.execute(query):
            yield Finding(FindingKind.OPERATION_ROW, table, 0, 0, str(key), str(words))
    for number, words in broken_acts(connection, vault):
        yield Finding(FindingKind.OPERATION_ROW, "acts", 0, 0, str(number), words)
    for key, words in untrue_messages(connection, vault):
        yield Finding(FindingKind.OPERATION_ROW, "parked_messages", 0, 0, key, words)
    if vault is not None:
        yield from _unread_names(connection, vault)
        yield from _untrue_names(connection, vault)
        yield from _lost_secrets(connection, vault)
        yield from _untrue_covers(connection, vault)


def _untrue_covers(connection: Connection, vault: Vault) -> Iterator[Finding]:
    """Yield the covers whose picture does not open, or is not the one that its digests are of."""
    for cover_id, user_id, content_mac, sealed in walk(connection, _COVERS):
        if not sealed:
            continue
        try:
            found = cover_macs(vault, user_id, vault.open("identity", cover_id, sealed))
            is_true = found == (cover_id, content_mac)
            words = "" if is_true else "its digests are not those of its picture"
        except Damaged as error:
            words = f"its picture: {error}"
        if words:
            yield Finding(FindingKind.OPERATION_ROW, "covers", 0, 0, cover_id.hex(), words)


def _lost_secrets(connection: Connection, vault: Vault) -> Iterator[Finding]:
    """Yield the authenticators whose secret does not open under their own key."""
    for key_id, sealed in walk(connection, _AUTHENTICATORS):
        try:
            vault.open("identity", str(key_id).encode(), sealed)
        except Damaged as error:
            words = f"its secret: {error}"
            yield Finding(FindingKind.OPERATION_ROW, "authenticators", 0, 0, str(key_id), words)


def _untrue_names(connection: Connection, vault: Vault) -> Iterator[Finding]:
    """Yield the people whose verified name does not open, or is not the one that is looked for."""
    for user_id, *row in walk(connection, _REAL_NAMES):
        kept = RealName(*row)
        if not kept.checks:
            continue
        try:
            is_true = macs(vault, open_told(vault, user_id, kept)) == (
                kept.name_mac,
                kept.number_mac,
            )
            words = "" if is_true else "its digests are not those of its name and number"
        except Damaged as error:
            words = f"its name: {error}"
        if words:
            yield Finding(FindingKind.OPERATION_ROW, "real_names", 0, 0, user_id.hex(), words)


def _unread_names(connection: Connection, vault: Vault) -> Iterator[Finding]:
    """Yield the devices and passkeys whose name does not open under their own id."""
    for way in _NAMED:
        for own_id, sealed in walk(connection, way):
            try:
                vault.open("identity", own_id, sealed)
            except Damaged as error:
                words = f"its name: {error}"
                yield Finding(FindingKind.OPERATION_ROW, way.table, 0, 0, own_id.hex(), words)
