"""The command `lingqian verify`: check a packet's proof, offline.

Exit code: 0 every check held; 1 one failed; 2 the file is no proof that can be read.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lingqian.redpacket import document, level, proof
from lingqian.redpacket.reading import read
from lingqian.redpacket.verify import Finding

FILE_BYTES_MAX = 256 * 1024 * 1024


def verify(
    file: Annotated[str, typer.Argument(help="The proof file; - reads standard input.")],
    *,
    key: Annotated[
        str | None, typer.Option(help="The operator's public key, as hex: the signer must be it.")
    ] = None,
    commitment: Annotated[
        str | None, typer.Option(help="The commitment you were shown on the card, as hex.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check a proof: compute again all that can be computed, and say what was found.

    Works offline. Exit code: 0 every check held; 1 one failed; 2 the file cannot be read.
    """
    record = _load(file)
    findings = proof.verify(record, check_signature=check_ed25519)
    if key is not None:
        findings.append(_same(record, ("key", "signature", "public_key"), key))
    if commitment is not None:
        findings.append(_same(record, ("shown", "commitment"), commitment))
    if as_json:
        typer.echo(json.dumps(_summary(record, findings), ensure_ascii=False, indent=2))
    else:
        _print(record, findings)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def check_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Check an Ed25519 signature."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _load(file: str) -> dict[str, object]:
    try:
        raw = _read(file)
        record = json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_once_each,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except (OSError, ValueError, RecursionError) as error:
        _refuse(f"{file} cannot be read: {error}")
    if not isinstance(record, dict) or record.get("format") != document.FORMAT:
        _refuse(f"{file} is not a proof: it has no format {document.FORMAT}")
    return record


def _read(file: str) -> bytes:
    if file == "-":
        raw = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
    else:
        with Path(file).open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"it is larger than {FILE_BYTES_MAX} bytes")
    return raw


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return fields


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text:.40} is not an integer")


def _same(record: dict[str, object], path: tuple[str, ...], expected: str) -> Finding:
    name, *steps = path
    value: object = record
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    if value == expected.strip().lower():
        return Finding(name, ok=True, reason="the same as you gave")
    return Finding(name, ok=False, reason=f"the record has {value!s:.80}")


def _reached(record: dict[str, object]) -> tuple[str, tuple[level.Limit, ...]] | None:
    """Return the label of the level really reached and its limits, or None when unreadable."""
    try:
        reach, draw = proof.level(record), read(record).terms.draw
    except proof.MalformedError:
        return None
    return proof.label(reach, draw=draw), proof.limits(reach, draw=draw)


def _summary(record: dict[str, object], findings: list[Finding]) -> dict[str, object]:
    reached = _reached(record)
    return {
        "ok": all(finding.ok for finding in findings),
        "level": None if reached is None else reached[0],
        "not_stopped": [] if reached is None else [limit._asdict() for limit in reached[1]],
        "findings": [finding._asdict() for finding in findings],
    }


def _print(record: dict[str, object], findings: list[Finding]) -> None:
    for finding in findings:
        word = "ok" if finding.ok else "FAILED"
        typer.echo(
            f"{word if finding.checked else 'unchecked':<10}{finding.check:<12}{finding.reason}"
        )
    reached = _reached(record)
    if reached is not None:
        typer.echo(f"\ncommitment {record['commitment']}")
        typer.echo("compare it with the one on the card, in the receipt or in the create answer")
        typer.echo(f"\nlevel {reached[0]}: what it does not stop")
        for limit in reached[1]:
            typer.echo(f"  - {limit.zh}\n    {limit.en}")
    failed = sum(not finding.ok for finding in findings)
    typer.echo(f"\n{failed} checks failed" if failed else "\nevery check held")


def _refuse(why: str) -> NoReturn:
    typer.echo(f"lingqian verify: {why}", err=True)
    raise typer.Exit(2)
