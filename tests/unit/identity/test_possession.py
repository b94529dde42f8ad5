"""Possession: the published example, and that no shape of a stranger's JSON fails the reader."""

import itertools
import time

import pytest

from api.phone import Key, b64
from lingqian.identity.possession import Flaw, Proof, Target, read64, read_proof, write64

ADDRESS = "http://127.0.0.1/x"
ODD = [None, True, 0, 1.5, "", "sig", [], ["sig"], [1], {}, {"a": 1}, "A" * 43, [["verify"]], [{}]]
# RFC 9449 §4.1 and, for the thumbprint, §6.1.
PUBLISHED = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUk"
    "lDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUw"
    "Q2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6I"
    "mh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A"
    "0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def judge(text, token="t"):
    """Read a proof as one that comes now."""
    return read_proof(text, Target("GET", frozenset((ADDRESS,)), token), int(time.time()))


def made(key, **wrong):
    """Return a proof with something odd in it."""
    return key.proof("GET", ADDRESS, "t", **wrong)


def test_the_published_proof_is_read_as_published():
    """Another pen than ours wrote it; one letter of the signature changed, and it is none."""
    target = Target("POST", frozenset(("https://server.example.com/token",)))
    proof = read_proof(PUBLISHED, target, 1_562_262_616)
    assert isinstance(proof, Proof)
    assert write64(proof.thumbprint) == THUMBPRINT
    changed = PUBLISHED.replace(".2-Gx", ".2-Gy")
    assert read_proof(changed, target, 1_562_262_616) == Flaw.SIGNATURE


@pytest.mark.parametrize("name", ["alg", "typ", "crit", "b64", "kid", "x5c", "jku", "zip", "jwk"])
def test_no_member_of_a_header_fails_the_reader(name):
    """Whatever its type; and what makes it no proof of ours is told as a flaw."""
    key = Key()
    for odd in ODD:
        found = judge(made(key, head={name: odd}))
        assert isinstance(found, Flaw | Proof)
        assert isinstance(found, Flaw) or name not in ("alg", "typ", "crit", "jwk")


@pytest.mark.parametrize("name", ["kty", "crv", "x", "y", "d"])
def test_a_key_has_one_spelling_only(name):
    """Another spelling of the same key would be another thumbprint, and nobody's."""
    key = Key()
    for odd in ODD:
        assert judge(made(key, head={"jwk": {**key.jwk, name: odd}})) == Flaw.KEY
    for coordinate in ("x", "y"):
        longer = b64(b"\0" + read64(key.jwk[coordinate]))
        assert judge(made(key, head={"jwk": {**key.jwk, coordinate: longer}})) == Flaw.KEY
    for curve in ("P-384", "P-521", "secp256k1"):
        assert judge(made(key, head={"jwk": {**key.jwk, "crv": curve}})) == Flaw.KEY


def test_what_else_a_key_says_of_itself_is_not_listened_to():
    """A browser exports more members than four; none changes whose proof it is."""
    key = Key()
    plain = judge(made(key)).thumbprint
    for use, operations in itertools.product(ODD, ODD):
        more = {**key.jwk, "use": use, "key_ops": operations, "ext": True}
        assert judge(made(key, head={"jwk": more})).thumbprint == plain


def test_no_depth_and_no_length_fails_the_reader():
    """Objects within objects, parts that are lists or words, too many parts, too many letters."""
    deep, word, head = b64(b"[" * 2_900), b64(b'"alg"'), b64(b'{"alg":"ES256"}')
    for text in (f"{deep}.e30.AAAA", f"e30.{deep}.AAAA", f"{word}.e30.AAAA", f"{head}.{word}.AAAA",
                 "x" * 9_000, "....", PUBLISHED + "."):  # fmt: skip
        assert judge(text) == Flaw.MALFORMED
    key = Key()
    twice = b64(b'{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256"}')
    assert judge(twice + made(key)[made(key).index(".") :]) == Flaw.MALFORMED
