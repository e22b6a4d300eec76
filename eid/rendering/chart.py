"""A bar chart as SVG: a group of bars for each label, one bar for each series; what is suppressed is hatched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

COLOURS: Final = ("#1d4e89", "#00798c", "#b5733a", "#7a3b69")  # told apart by their lightness, too
WIDTH: Final = 900
LEFT: Final = 190  # for labels
RIGHT: Final = 70  # for figures
TOP: Final = 84
BAR: Final = 13
GAP: Final = 16
SUPPRESSED: Final = 26  # pixels of the hatched bar, whatever the count is
_FONT: Final = "font-family:system-ui,'DejaVu Sans',sans-serif"


def render_bars(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[int | None]], *, suppressed: str = "suppressed"
) -> str:
    """The chart, an SVG document that stands alone.

    Args:
        series: counts in the order of the labels, by the series' name; None is hatched. suppressed: what the legend
            calls that.
    """
    names = tuple(series)
    group = len(names) * BAR + GAP
    height = TOP + max(len(labels), 1) * group + 12
    top = max((count for counts in series.values() for count in counts if count is not None), default=0)
    scale = (WIDTH - LEFT - RIGHT) / max(top, 1)
    parts = [_head(title, height), _legend(names, suppressed)]
    for row, label in enumerate(labels):
        y = TOP + row * group
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + (group - GAP) / 2 + 4:.1f}" text-anchor="end" font-size="13">'
            f"{escape(_shorten(label))}</text>"
        )
        for place, name in enumerate(names):
            parts.append(_bar(y + place * BAR, series[name][row], scale, COLOURS[place % len(COLOURS)], name, label))
    if not labels:
        parts.append(f'<text x="{LEFT}" y="{TOP + 14}" font-size="13">-</text>')
    parts.append(f'<line x1="{LEFT}" y1="{TOP - 6}" x2="{LEFT}" y2="{height - 8}" stroke="#555"/></svg>\n')
    return "\n".join(parts)


def _head(title: str, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label={quoteattr(title)} style="{_FONT}">\n<title>{escape(title)}</title>\n'
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="6" height="6" fill="#eee"/>'
        '<line x1="0" y1="0" x2="0" y2="6" stroke="#777" stroke-width="3"/></pattern></defs>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text x="16" y="30" font-size="18" font-weight="600" fill="#111">{escape(title)}</text>'
    )


def _legend(names: Sequence[str], suppressed: str) -> str:
    parts, x = [], 16
    fills = [*(COLOURS[place % len(COLOURS)] for place in range(len(names))), "url(#hatch)"]
    for fill, name in zip(fills, (*names, suppressed), strict=True):
        parts.append(f'<rect x="{x}" y="48" width="13" height="13" fill="{fill}"/>')
        parts.append(f'<text x="{x + 19}" y="59" font-size="13" fill="#222">{escape(name)}</text>')
        x += 44 + 8 * len(name)
    return "\n".join(parts)


def _bar(y: int, count: int | None, scale: float, colour: str, name: str, label: str) -> str:
    width = SUPPRESSED if count is None else max(count * scale, 1 if count else 0)
    fill, shown = ("url(#hatch)", "…") if count is None else (colour, str(count))
    return (
        f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{fill}">'
        f"<title>{escape(label)}, {escape(name)}: {shown}</title></rect>"
        f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 3}" font-size="10" fill="#333">{shown}</text>'
    )


def _shorten(label: str) -> str:
    return label if len(label) <= 24 else f"{label[:23]}…"
