"""The page at a packet's link, for everybody: a preview, a QR code, and the way in (分享页).

Law: both the page and its picture follow from the link alone. They are the same whether there is
such a packet or not, so that neither says anything that only members may see.
"""

import base64
import functools
import io
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

import segno
from PIL import Image, ImageDraw

# What most readers of previews ask for.
WIDTH: Final = 1_200
HEIGHT: Final = 630
_KEPT: Final = 256
# The palette, by the places that the names below have in it.
_COLORS: Final = ("#b8362b", "#94271e", "#f4cf8c", "#6b3a06", "#fff6e5", "#000000")
_RED, _DEEP, _COIN, _INK, _PAPER, _BLACK = range(len(_COLORS))
_MARGIN: Final = 60
_QR_SIDE: Final = HEIGHT - 2 * _MARGIN
_QUIET: Final = 4

_STYLE: Final = """
body { margin: 0; min-height: 100vh; display: flex; align-items: center; justify-content: center;
  background: #f1f2f0; color: #1d1d1f; text-align: center; line-height: 1.5;
  font-family: system-ui, -apple-system, "PingFang SC", "Noto Sans CJK SC", sans-serif; }
main { width: 19rem; max-width: calc(100% - 2rem); padding: 1.5rem 0; }
.envelope { background: #b8362b; color: #ffe3b3; border-radius: 1rem; overflow: hidden; }
.flap { padding: 2.5rem 1rem 2rem;
  border-radius: 0 0 50% 50% / 0 0 2.5rem 2.5rem; background: #a83025; }
h1 { font-size: 1.35rem; margin: 0; }
.pocket { padding: 1.5rem 1rem; }
.open { display: inline-block; min-width: 9rem; padding: .8rem 1.2rem; border-radius: 2rem;
  background: #f4cf8c; color: #6b3a06; font-weight: 700; text-decoration: none; }
.open:focus-visible { outline: 3px solid #fff; outline-offset: 2px; }
.code { width: 11rem; height: 11rem; margin: 1.2rem auto .4rem;
  background: #fff; border-radius: .5rem; }
.code svg { width: 100%; height: 100%; display: block; }
p { margin: .3rem 0; font-size: .9rem; }
@media (prefers-color-scheme: dark) { body { background: #111213; color: #f0f0f2; } }
"""
_PAGE: Final = Template("""<!doctype html>
<html lang="zh-CN" prefix="og: https://ogp.me/ns#">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>红包 · A red packet</title>
<meta name="description" content="有一个红包等你打开。 A red packet waits for you.">
<meta property="og:type" content="website">
<meta property="og:site_name" content="零钱 Lingqian">
<meta property="og:title" content="红包 · A red packet">
<meta property="og:description" content="有一个红包等你打开。 A red packet waits for you.">
<meta property="og:url" content="$page">
<meta property="og:image" content="$picture">
<meta property="og:image:type" content="image/png">
<meta property="og:image:width" content="$width">
<meta property="og:image:height" content="$height">
<meta property="og:image:alt" content="红包和二维码 · A red packet and a QR code">
<meta name="twitter:card" content="summary_large_image">
<link rel="icon" href="data:,">
<style>$style</style>
</head>
<body>
<main>
<section class="envelope">
<div class="flap">
<h1>有一个红包等你打开<br><span lang="en">A red packet waits for you</span></h1>
</div>
<div class="pocket"><a class="open" href="$wallet">打开 <span lang="en">Open</span></a></div>
</section>
<div class="code" role="img" aria-label="二维码 QR code">$code</div>
<p>用手机扫一扫。<span lang="en">Scan it with a phone.</span></p>
<p>只有被邀请的人能看到它。<span lang="en">Only those who are invited see what is in it.</span></p>
</main>
</body>
</html>
""")
_DIGEST: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
# No script at all, no form, no frame; one style, by its digest.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
).encode()


@functools.lru_cache(_KEPT)
def page(link: str, packet_id: str) -> bytes:
    """Return the page at a packet's link; takes long enough to belong on a thread."""
    code = segno.make(link, error="m", micro=False)
    words = {
        "page": escape(link),
        "picture": escape(f"{link}/card.png"),
        "wallet": escape(f"/wallet#/open/{packet_id}"),
        "width": WIDTH,
        "height": HEIGHT,
        "style": _STYLE,
        "code": code.svg_inline(border=_QUIET, dark="#000", light="#fff", omitsize=True),
    }
    return _PAGE.substitute(words).encode()


@functools.lru_cache(_KEPT)
def picture(link: str) -> bytes:
    """Return an envelope beside a QR code of a link, as PNG; belongs on a thread."""
    canvas = Image.new("P", (WIDTH, HEIGHT), _RED)
    canvas.putpalette(b"".join([bytes.fromhex(color[1:]) for color in _COLORS]))
    pen = ImageDraw.Draw(canvas)
    _draw_envelope(pen)
    _draw_code(pen, link)
    written = io.BytesIO()
    canvas.save(written, "PNG")
    return written.getvalue()


def _draw_envelope(pen: ImageDraw.ImageDraw) -> None:
    left, right = _MARGIN + 80, WIDTH - _QR_SIDE - 2 * _MARGIN
    top, bottom = _MARGIN, HEIGHT - _MARGIN
    pen.rounded_rectangle((left, top, right, bottom), 28, fill=_DEEP, outline=_COIN, width=4)
    pen.pieslice((left, top - 170, right, top + 230), 0, 180, fill=_RED, outline=_COIN, width=4)
    _draw_seal(pen, (left + right) // 2, top + 230)


def _draw_seal(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Draw the coin with its letter, 开: two strokes across, two down."""
    pen.ellipse((x - 75, y - 75, x + 75, y + 75), fill=_COIN)
    for across, height in ((32, y - 30), (44, y - 2)):
        pen.line((x - across, height, x + across, height), fill=_INK, width=9)
    pen.line((x - 15, y - 30, x - 24, y + 40), fill=_INK, width=9)
    pen.line((x + 17, y - 30, x + 17, y + 40), fill=_INK, width=9)


def _draw_code(pen: ImageDraw.ImageDraw, link: str) -> None:
    rows = tuple(segno.make(link, error="m", micro=False).matrix)
    step = _QR_SIDE // (len(rows) + 2 * _QUIET)
    side = step * (len(rows) + 2 * _QUIET)
    left, top = WIDTH - _MARGIN - side, (HEIGHT - side) // 2
    pen.rounded_rectangle((left, top, left + side, top + side), 18, fill=_PAPER)
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            if is_dark:
                at = (left + (x + _QUIET) * step, top + (y + _QUIET) * step)
                pen.rectangle((*at, at[0] + step - 1, at[1] + step - 1), fill=_BLACK)
