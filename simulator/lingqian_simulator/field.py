"""Fields: what a request body may hold, as rows, and what is said when it holds something else.

Units: lengths in bytes of UTF-8 unless the row says characters; amounts in fen.
Source: WeChat Pay APIv3, body parameters of each interface; the wording of PARAM_ERROR.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

import msgspec

from lingqian_simulator.refusal import EXTRA_FIELD, PARAM_ERROR, Refused

FEN_MAX: Final = 10**12
_WORDS: Final[Mapping[str, str]] = {
    "string": "string",
    "integer": "number",
    "boolean": "bool",
    "object": "object",
    "array": "array",
}
_TYPES: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
}


class Field(NamedTuple):
    """One field: its name, its Chinese name, its type and its bounds."""

    name: str
    title: str
    kind: str
    is_required: bool = False
    least: int = 0
    most: int = FEN_MAX
    pattern: str = ""
    fields: tuple["Field", ...] = ()  # of an object, or of each element of an array
    is_counted_in_characters: bool = False


def required(name: str, title: str, kind: str, **rest: Any) -> Field:  # noqa: ANN401 - Field's own
    """Write a row that must be there."""
    return Field(name, title, kind, is_required=True, **rest)


def parse(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Refuses: PARAM_ERROR when it is no object, no UTF-8, or holds a letter of four bytes.
    """
    try:
        text = body.decode()
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (UnicodeDecodeError, msgspec.DecodeError, msgspec.ValidationError) as fault:
        raise Refused(PARAM_ERROR, "请求体不是合法的 JSON 对象", _detail("", "", "json")) from fault
    if any(ord(letter) > 0xFFFF for letter in text):
        raise Refused(PARAM_ERROR, "参数中含有非法字符", _detail("", "", "charset"))
    return found


def check(body: Mapping[str, Any], fields: tuple[Field, ...], pointer: str = "/body") -> None:
    """Go through the rows in order, then refuse whatever no row names."""
    for field in fields:
        _check_field(body.get(field.name), field, f"{pointer}/{field.name}")
    known = {field.name for field in fields}
    for name in body:
        if name not in known:
            place = f"{pointer}/{name}".removeprefix("/body")
            raise Refused(EXTRA_FIELD, detail=_detail(place, body[name], "unknown field"))


def _check_field(value: Any, field: Field, pointer: str) -> None:  # noqa: ANN401 - any JSON
    if value is None or value == "":
        if field.is_required:
            _refuse(
                pointer,
                value,
                f"输入源“{pointer}”映射到字段“{field.title}”必填性规则校验失败，此字段为必填项",
            )
        return
    expected = _TYPES[field.kind]
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        words = f"此字段需要一个 {_WORDS[field.kind]} 类型的 Json 值"
        _refuse(
            pointer, value, f"无法将 JSON 输入源“{pointer}”映射到目标字段“{field.title}”中，{words}"
        )
    match value:
        case str():
            _check_text(value, field, pointer)
        case dict():
            check(value, field.fields, pointer)
        case list():
            _check_list(value, field, pointer)
        case int():
            _check_number(value, field, pointer)
        case _:
            pass


def _check_text(value: str, field: Field, pointer: str) -> None:
    length = len(value) if field.is_counted_in_characters else len(value.encode())
    unit = "字符数" if field.is_counted_in_characters else "字节数"
    start = f"输入源“{pointer}”映射到值字段“{field.title}”字符串规则校验失败，"
    if length > field.most:
        _refuse(pointer, value, f"{start}{unit} {length}，大于最大值 {field.most}")
    if length < field.least:
        _refuse(pointer, value, f"{start}{unit} {length}，小于最小值 {field.least}")
    if field.pattern and not re.fullmatch(field.pattern, value):
        _refuse(pointer, value, f"{start}字符串格式不符合要求")


def _check_list(value: list[Any], field: Field, pointer: str) -> None:
    if len(value) > field.most:
        words = f"输入源“{pointer}”映射到列表字段“{field.title}”规则校验失败，"
        _refuse(pointer, len(value), f"{words}元素个数 {len(value)}，大于最大值 {field.most}")
    for place, element in enumerate(value):
        if field.fields:
            row = Field(str(place), field.title, "object", fields=field.fields)
            _check_field(element, row, f"{pointer}/{place}")


def _check_number(value: int, field: Field, pointer: str) -> None:
    start = f"输入源“{pointer}”映射到数值字段“{field.title}”规则校验失败，"
    if value < field.least:
        _refuse(pointer, value, f"{start}值低于最小值 {field.least}")
    if value > field.most:
        _refuse(pointer, value, f"{start}值高于最大值 {field.most}")


def _refuse(pointer: str, value: Any, message: str) -> NoReturn:  # noqa: ANN401 - any JSON
    issue = message.rpartition("，")[2]
    raise Refused(PARAM_ERROR, message, _detail(pointer.removeprefix("/body"), value, issue))


def _detail(field: str, value: Any, issue: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"field": field, "value": value, "issue": issue, "location": "body"}


def refuse_query(name: str, value: str | None, message: str) -> NoReturn:
    """Refuse a parameter of the query string."""
    detail = {"field": name, "value": value, "issue": message, "location": "query"}
    raise Refused(PARAM_ERROR, f"输入源“/query/{name}”{message}", detail)
