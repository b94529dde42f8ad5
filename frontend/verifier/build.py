"""Build the verifier page: one self-contained file that works offline.

python frontend/verifier/build.py          writes src/lingqian/web/static/verify.html
python frontend/verifier/build.py --check  fails when that file is stale
"""  # noqa: INP001 - a script, not a package

import base64
import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "src" / "lingqian" / "web" / "static" / "verify.html"
IMPORT = 'import { toHex, verify } from "./verify.mjs";\n'


def build() -> str:
    """Return the page with its style and modules inside, and a policy that forbids the rest."""
    page, style, around, verifier = (
        (HERE / name).read_text("utf-8")
        for name in ("page.html", "page.css", "page.mjs", "verify.mjs")
    )
    assert IMPORT in around, "the page's module imports the verifier in one line"
    script = verifier + around.replace(IMPORT, "")
    assert "</script" not in script, "the script would end early"
    # No network at all, and no code but this: a copy can be trusted as far as its bytes.
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return page.replace("%POLICY%", policy).replace("%STYLE%", style).replace("%SCRIPT%", script)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def main() -> None:
    """Write the page, or with --check compare it."""
    page = build()
    if "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, "utf-8", newline="\n")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != page:
        sys.exit(f"{PAGE.name} is stale: run python frontend/verifier/build.py")


if __name__ == "__main__":
    main()
