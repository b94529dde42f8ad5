"""FaceID, simulated: who has which name, number and face, over the cloud's own protocol (核验模拟).

The register learns: the first name told for a number is that person's, the first picture is that
person's face; whoever tells another later does not match. A number whose order is 999 is in no
register. Names are kept in memory only.
Source: Tencent Cloud API 3.0 (TC3-HMAC-SHA256), FaceID 2018-03-01.
"""

import hmac
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
from aiohttp import web

DEFAULT_SECRET_ID: Final = "AKIDsimulated"  # noqa: S105 - of nobody; made to be known
DEFAULT_SECRET_KEY: Final = "simulated-secret-key"  # noqa: S105 - as above
_VERSION: Final = "2018-03-01"
_SERVICE: Final = "faceid"
_SKEW_S: Final = 300
_BODY_BYTES_MAX: Final = 4 << 20
_SAME: Final = 97.5
_OTHER: Final = 9.21
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class Refusal(Exception):  # noqa: N818 - an answer of the service
    """A request the service does not take, in its own word."""


class Register:
    """The people there are."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._faces: dict[str, bytes] = {}

    def name(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Say whether a name and a number belong together."""
        name, number = str(body.get("Name", "")), str(body.get("IdCard", "")).upper()
        if not _is_number(number):
            return {"Result": "-2", "Description": "非法身份证号"}
        if len(name) < 2:
            return {"Result": "-3", "Description": "非法姓名"}
        if number[14:17] == "999":
            return {"Result": "-5", "Description": "证件库中无此身份证记录"}
        if self._names.setdefault(number, name) != name:
            return {"Result": "-1", "Description": "姓名和身份证号不一致"}
        return {"Result": "0", "Description": "姓名和身份证号一致"}

    def face(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Say whether a picture is of the person with this name and number."""
        found = self.name(body)
        if found["Result"] != "0":
            codes = {"-1": "IdNameMisMatch", "-2": "IdFormatError", "-3": "NameFormatError"}
            word = codes.get(found["Result"], "IdNoExistSystem")
            return {"Result": f"FailedOperation.{word}", "Description": found["Description"]}
        picture = sha256(str(body.get("ImageBase64", "")).encode()).digest()
        if self._faces.setdefault(str(body["IdCard"]).upper(), picture) != picture:
            word = "FailedOperation.CompareLowSimilarity"
            return {"Result": word, "Description": "比对相似度未达到通过标准", "Sim": _OTHER}
        return {"Result": "Success", "Description": "成功", "Sim": _SAME}


def _is_number(number: str) -> bool:
    if len(number) != 18 or not number[:17].isdigit():
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17]


class FaceIdSimulator:
    """The service on one port; a port of zero becomes whichever is free."""

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        secret: tuple[str, str] = (DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY),
    ) -> None:
        self._address = address
        self._secret = secret
        self._register = Register()
        self._runner: web.ServerRunner | None = None
        self.port = port
        self.is_busy = False

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{self._address}:{self.port}"

    async def up(self) -> None:
        """Listen."""
        runner = web.ServerRunner(web.Server(self._serve), handle_signals=False)
        await runner.setup()
        await web.TCPSite(runner, self._address, self.port, reuse_address=True).start()
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def down(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read(_BODY_BYTES_MAX)
        try:
            found = self._answer(request, body)
        except Refusal as refusal:
            found = {"Error": {"Code": str(refusal), "Message": "refused by the simulator"}}
        answer = {"Response": {**found, "RequestId": str(uuid.uuid4())}}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    def _answer(self, request: web.BaseRequest, body: bytes) -> dict[str, Any]:
        self._check_signature(request, body)
        if request.headers.get("X-TC-Version") != _VERSION:
            raise Refusal("NoSuchVersion")
        if self.is_busy:
            raise Refusal("InternalError")
        actions = {
            "IdCardVerification": self._register.name,
            "ImageRecognitionV2": self._register.face,
        }
        action = actions.get(request.headers.get("X-TC-Action", ""))
        if action is None:
            raise Refusal("InvalidAction")
        try:
            return action(msgspec.json.decode(body, type=dict[str, Any]))
        except msgspec.MsgspecError as error:
            raise Refusal("InvalidParameter") from error

    def _check_signature(self, request: web.BaseRequest, body: bytes) -> None:
        """Refuse what is not signed with the account's key, over these bytes, now."""
        at_s = request.headers.get("X-TC-Timestamp", "")
        if not at_s.isdigit() or abs(int(at_s) - time.time()) > _SKEW_S:
            raise Refusal("AuthFailure.SignatureExpire")
        expected = self._authorization(request, body, int(at_s))
        told = request.headers.get("Authorization", "")
        if not hmac.compare_digest(expected.encode(), told.encode()):
            raise Refusal("AuthFailure.SignatureFailure")

    def _authorization(self, request: web.BaseRequest, body: bytes, at_s: int) -> str:
        secret_id, secret_key = self._secret
        names = ("content-type", "host", "x-tc-action")
        values = [
            request.headers.get("Content-Type", ""),
            request.headers.get("Host", ""),
            request.headers.get("X-TC-Action", "").lower(),
        ]
        head = "".join(f"{name}:{value}\n" for name, value in zip(names, values, strict=True))
        signed = ";".join(names)
        canonical = f"POST\n/\n\n{head}\n{signed}\n{sha256(body).hexdigest()}"
        day = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
        scope = f"{day}/{_SERVICE}/tc3_request"
        digest = sha256(canonical.encode()).hexdigest()
        message = f"TC3-HMAC-SHA256\n{at_s}\n{scope}\n{digest}"
        key = b"TC3" + secret_key.encode()
        for part in (day, _SERVICE, "tc3_request"):
            key = hmac.new(key, part.encode(), sha256).digest()
        signature = hmac.new(key, message.encode(), sha256).hexdigest()
        return (
            f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )
