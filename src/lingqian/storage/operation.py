"""Tables of operation checked: not journalled, so held to shapes and to each other (运营表核对).

Nothing here is money. Source: migration 0002.
"""

from collections.abc import Iterator
from typing import Final

import apsw

from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.vault import Vault

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
}
OPERATION_TABLES: Final = frozenset(_QUERIES)


def operation_faults(connection: apsw.Connection, vault: Vault | None) -> Iterator[Finding]:
    """Yield what is wrong with the tables of operation."""
    del vault
    for table, query in _QUERIES.items():
        for key, words in connection.execute(query):
            yield Finding(FindingKind.OPERATION_ROW, table, 0, 0, str(key), str(words))
