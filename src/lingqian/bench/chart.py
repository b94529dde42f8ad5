"""The bars as a picture: SVG written by hand, readable on light and on dark (图)."""

from html import escape
from typing import Final

from lingqian.bench.report import HELD, SKIPPED, Bar, Report

_WIDTH: Final = 880
_ROW: Final = 46
_TOP: Final = 64
_LEFT: Final = 16
_SCALE: Final = 560  # where a bar ends that is twice its must
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.dim{fill:#656d76;font-size:11px}"
    ".held{fill:#1a7f37}.missed{fill:#cf222e}.must{stroke:#1f2328;stroke-width:2}"
    ".back{fill:#eaeef2}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#8d96a0}"
    ".held{fill:#3fb950}.missed{fill:#f85149}.must{stroke:#e6edf3}.back{fill:#21262d}}"
)


def chart(report: Report) -> str:
    """Draw one line per bar: how far it reaches, and the mark it must reach."""
    height = _TOP + _ROW * len(report.bars) + 12
    machine = report.machine
    words = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['file_system']}, "
        f"fsync p50 {report.fsync_p50_us:.0f} µs, {report.began}"
    )
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-label="lingqian bench">'
        ),
        f"<style>{_STYLE}</style>",
        (
            f'<text x="{_LEFT}" y="24">lingqian bench: each bar against what it must be (the mark)'
            "</text>"
        ),
        f'<text x="{_LEFT}" y="42" class="dim">{escape(words)}</text>',
    ]
    for place, bar in enumerate(report.bars):
        lines += _drawn(bar, _TOP + place * _ROW)
    return "\n".join([*lines, "</svg>", ""])


def _drawn(bar: Bar, top: int) -> list[str]:
    sign = "≤" if bar.is_ceiling else "≥"
    figure = SKIPPED if bar.measured is None else f"{bar.measured:.2f} {bar.unit}"
    words = f"{escape(bar.name)}: {figure} (must {sign} {bar.must:g}, aim {sign} {bar.aim:g})"
    lines = [
        f'<text x="{_LEFT}" y="{top + 12}">{words}</text>',
        f'<rect class="back" x="{_LEFT}" y="{top + 18}" width="{_WIDTH - 2 * _LEFT}" height="14"/>',
    ]
    if bar.measured is not None:
        width = min(bar.measured / bar.must * _SCALE / 2, _WIDTH - 2 * _LEFT)
        kind = "held" if bar.verdict == HELD else "missed"
        lines.append(
            f'<rect class="{kind}" x="{_LEFT}" y="{top + 18}" width="{width:.1f}" height="14"/>'
        )
    mark = _LEFT + _SCALE // 2
    lines.append(f'<path class="must" d="M{mark} {top + 15}v20"/>')
    return lines
