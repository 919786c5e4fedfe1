"""Line charts as SVG: throughput across, latency up on a logarithmic scale, one line a percentile."""

import math
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 40, 48
COLOURS = ("#1b6ca8", "#2a9d5c", "#d08b1d", "#b8352e")
TEXT = 'font-family="sans-serif" font-size="12" fill="#333"'


def latency_chart(title, points, percentiles):
    """`points` are (operations a second, {percentile: ms}, label), in the order of rising load."""
    top_rate = nice_ceiling(max(rate for rate, _, _ in points))
    all_ms = [ms for _, by_percentile, _ in points for ms in by_percentile.values()]
    low, high = math.floor(math.log10(min(all_ms))), math.ceil(math.log10(max(all_ms)))

    def x(rate):
        return LEFT + (WIDTH - LEFT - RIGHT) * rate / top_rate

    def y(ms):
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(ms)) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" {TEXT} font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" {TEXT} text-anchor="end">{10**power:g} ms</text>')
    for step in range(5):
        rate = top_rate * step / 4
        parts.append(
            f'<text x="{x(rate):.1f}" y="{HEIGHT - BOTTOM + 18}" {TEXT} text-anchor="middle">{rate:,.0f}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" {TEXT} text-anchor="middle">operations a second</text>'
    )
    for percentile, colour in zip(percentiles, COLOURS):
        line = [(x(rate), y(by_percentile[percentile]), label) for rate, by_percentile, label in points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _ in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for px, py, label in line:
            dot = f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}">'
            parts.append(f"{dot}<title>{escape(f'{label}, {percentile}')}</title></circle>")
        end_x, end_y, _ = line[-1]
        parts.append(f'<text x="{end_x + 8:.1f}" y="{end_y + 4:.1f}" {TEXT}>{escape(percentile)}</text>')
    parts.append("</svg>\n")
    return "\n".join(parts)


def nice_ceiling(value):
    """The next number of the form 1, 2, 4 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= value)
