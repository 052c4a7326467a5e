"""Bar chart as SVG, for documents: no script, no fonts of its own, legible on dark and light."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, RIGHT = 24, 190, 420, 90


def bars_svg(title: str, bars: Mapping[str, float]) -> str:
    """Return a chart of horizontal bars, in their order."""
    longest = max(bars.values(), default=0.0) or 1.0
    height = ROW * (len(bars) + 2)
    rows = [
        _row(index, name, value, WIDTH * value / longest)
        for index, (name, value) in enumerate(bars.items())
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" '
            f'height="{height}" font-family="sans-serif" font-size="13">',
            f'<rect width="100%" height="{height}" fill="#fff"/>',
            f'<text x="12" y="{ROW}" font-weight="bold">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        )
    )


def _row(index: int, name: str, value: float, length: float) -> str:
    y = ROW * (index + 2)
    return (
        f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LEFT}" y="{y - 13}" width="{length:.1f}" height="16" fill="#2f6fab"/>'
        f'<text x="{LEFT + length + 6:.1f}" y="{y}">{value:,.0f}</text>'
    )
