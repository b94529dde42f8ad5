"""A running server as a command sees it: a call, and its answer or its refusal (远程命令).

Writes have one way, the lane of the process that serves; so a command that decides something asks
that process over HTTP, under a key whose name goes on record, and never opens the ledger itself.
"""

import http.client
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Annotated, Any, Final, NoReturn
from urllib.parse import urlencode, urlsplit

import typer

URL_VARIABLE: Final = "LINGQIAN_URL"
KEY_VARIABLE: Final = "LINGQIAN_KEY"
URL_DEFAULT: Final = "http://127.0.0.1:8080"
_TIMEOUT_S: Final = 30
_GOOD: Final = 299
_CODE_NEEDED: Final = "operator_code_needed"
# A shell has no passkeys: where only those are known, the refusal itself is told.
_CODE_FIELD: Final = "Operator-Code"

Url = Annotated[str, typer.Option("--url", envvar=URL_VARIABLE, help="Where the server answers.")]
ApiKey = Annotated[
    str,
    typer.Option(
        "--key",
        envvar=KEY_VARIABLE,
        show_default=False,
        help="An API key with the scope that is needed; better in the variable than on the line.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def fail(words: str, code: int) -> NoReturn:
    """End a command with one line and an exit code."""
    typer.echo(f"lingqian: {words}", err=True)
    raise typer.Exit(code)


class Server:
    """One server and the key it is asked with."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            fail(f"{url} is not the address of a server", 2)
        if not key:
            fail(f"an API key is needed: set {KEY_VARIABLE}, or make one with lingqian key new", 2)
        self._parts = parts
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def get(self, path: str) -> dict[str, Any]:
        """Read something; a refusal ends the command."""
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for something, once; a refusal ends the command."""
        return self._ask("POST", path, body, {"Idempotency-Key": secrets.token_hex(16)})

    def pages(self, path: str, name: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page after page."""
        asked = dict(query)
        while True:
            page = self.get(f"{path}?{urlencode(asked)}")
            yield from page[name]
            if not page["next_cursor"]:
                return
            asked["cursor"] = page["next_cursor"]

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, more: Mapping[str, str]
    ) -> dict[str, Any]:
        try:
            status, told = self._called(method, path, body, more)
            if told.get("code") == _CODE_NEEDED and told.get("field") == _CODE_FIELD:
                code = typer.prompt("动态口令 Code of your authenticator", err=True)
                again = {**more, _CODE_FIELD: code}
                status, told = self._called(method, path, body, again)
        except (OSError, http.client.HTTPException, ValueError) as error:
            fail(f"{self._parts.geturl()} does not answer as a server of ours: {error}", 1)
        if status > _GOOD:
            fail(_refusal(status, told), 1)
        return told

    def _called(
        self, method: str, path: str, body: Mapping[str, Any] | None, more: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        parts = self._parts
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        data = None if body is None else json.dumps(body).encode()
        with closing(kind(str(parts.hostname), parts.port, timeout=_TIMEOUT_S)) as connection:
            target = parts.path.rstrip("/") + path
            connection.request(method, target, data, {**self._headers, **more})
            answer = connection.getresponse()
            return answer.status, dict(json.loads(answer.read()))


def _refusal(status: int, told: Mapping[str, Any]) -> str:
    """Return a refusal in a line: its code, which field, and its words in both languages."""
    words = [told.get(name, "") for name in ("code", "field", "detail", "message_zh", "message_en")]
    # Without a detail of its own a refusal repeats its English words there.
    told_once = dict.fromkeys(reversed([str(each) for each in words if each]))
    return ": ".join(reversed(told_once)) or f"refused with {status}"


def as_json(found: object) -> None:
    """Print what a script reads."""
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


def yuan(amount_fen: int) -> str:
    """Write an amount as people read it."""
    return f"{amount_fen // 100:,}.{amount_fen % 100:02d}"
