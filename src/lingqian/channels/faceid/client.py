"""The client: two actions of FaceID, each asked once and read strictly (核验接口).

Law: nothing of a request is logged or put into an error; only the service's own code is.
Source: FaceID API 2018-03-01, IdCardVerification and ImageRecognitionV2.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from lingqian.channels.faceid.sign import JSON, Request, Secret, authorization
from lingqian.channels.verifier import Verdict
from lingqian.kernel.fault import Rejected, Unknown, Unsent

HOST: Final = "https://faceid.tencentcloudapi.com"
_VERSION: Final = "2018-03-01"
_SERVICE: Final = "faceid"
_ANSWER_BYTES_MAX: Final = 1 << 20
_LOOPBACK: Final = re.compile(r"http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$")
_NAMES: Final = {
    "0": Verdict.MATCH,
    "-1": Verdict.MISMATCH,
    "-2": Verdict.UNKNOWN_DOCUMENT,
    "-3": Verdict.UNKNOWN_DOCUMENT,
    "-5": Verdict.UNKNOWN_DOCUMENT,
    "-7": Verdict.EXHAUSTED,
}
_FACES: Final = {
    "Success": Verdict.MATCH,
    "FailedOperation.CompareLowSimilarity": Verdict.MISMATCH,
    "FailedOperation.IdNameMisMatch": Verdict.MISMATCH,
    "FailedOperation.IdFormatError": Verdict.UNKNOWN_DOCUMENT,
    "FailedOperation.NameFormatError": Verdict.UNKNOWN_DOCUMENT,
    "FailedOperation.IdNoExistSystem": Verdict.UNKNOWN_DOCUMENT,
}


class RealNameRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who verifies real names; the secret key lies in a file of the data directory."""

    secret_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    secret_key_file: Annotated[str, msgspec.Meta(min_length=1)]
    url: str = HOST
    region: str = "ap-guangzhou"
    timeout_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10

    def __post_init__(self) -> None:
        """Refuse an address that anybody could read along.

        Raises: ValueError, which msgspec turns into a message with the field's path.
        """
        is_bare = urlsplit(self.url).path in ("", "/") and "@" not in self.url
        if not is_bare or not (self.url.startswith("https://") or _LOOPBACK.match(self.url)):
            raise ValueError("url is a bare https address, or this machine's own loopback")


class FaceId:
    """Asks the service. `now_s` is real unix time: the service refuses old signatures."""

    def __init__(self, row: RealNameRow, folder: Path, now_s: Callable[[], int]) -> None:
        key = (folder / row.secret_key_file).read_text("utf-8").strip()
        self._row = row
        self._secret = Secret(row.secret_id, key)
        self._now_s = now_s
        self._session: aiohttp.ClientSession | None = None

    async def match_name(self, name: str, number: str) -> Verdict:
        """Ask whether a name and an ID number belong together.

        Raises: Unsent, Unknown, Rejected.
        """
        found = await self._ask("IdCardVerification", {"IdCard": number, "Name": name})
        return _verdict(_NAMES, found)

    async def match_face(self, name: str, number: str, face: str) -> Verdict:
        """Ask whether a face is that of the document's owner.

        Raises: Unsent, Unknown, Rejected.
        """
        body = {"IdCard": number, "Name": name, "ImageBase64": face}
        return _verdict(_FACES, await self._ask("ImageRecognitionV2", body))

    async def close(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, action: str, body: dict[str, str]) -> dict[str, Any]:
        raw = msgspec.json.encode(body)
        host = urlsplit(self._row.url).netloc
        request = Request(host, action, raw, self._now_s())
        headers = {
            "Authorization": authorization(self._secret, request, _SERVICE),
            "Content-Type": JSON,
            "Host": host,
            "X-TC-Action": action,
            "X-TC-Version": _VERSION,
            "X-TC-Timestamp": str(request.at_s),
            "X-TC-Region": self._row.region,
        }
        return _read(await self._send(raw, headers))

    async def _send(self, raw: bytes, headers: dict[str, str]) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        timeout = aiohttp.ClientTimeout(total=self._row.timeout_s)
        try:
            async with self._session.post(
                self._row.url, data=raw, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                return await answer.content.read(_ANSWER_BYTES_MAX)
        except aiohttp.ClientConnectorError as error:
            raise Unsent("the verifier cannot be reached") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unknown("the verifier did not answer") from error


def _read(raw: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw, type=dict[str, dict[str, Any]])["Response"]
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError) as error:
        raise Unknown("the verifier's answer cannot be read") from error
    trouble = found.get("Error")
    if isinstance(trouble, dict):
        code = str(trouble.get("Code", ""))
        if code in _FACES:
            return {"Result": code}
        raise Rejected(code)
    return found


def _verdict(table: dict[str, Verdict], found: dict[str, Any]) -> Verdict:
    """Return the verdict of a result; what is no verdict is the service's own trouble.

    Raises: Rejected.
    """
    word = str(found.get("Result", ""))
    if word not in table:
        raise Rejected(word or "no result")
    return table[word]
