"""Plots as SVG, by hand: bars with their quartiles, lines over a logarithmic axis."""
import math
import statistics
from xml.sax.saxutils import escape

from samples import quartiles

COLOURS = ["#0b6fa4", "#c8501e", "#4c8c2b", "#7a4fa3", "#a88500", "#b03060", "#2f8f8b", "#666666"]
WIDTH, LEFT, RIGHT, TOP, ROW, HEIGHT = 860, 250, 90, 46, 22, 300


class Drawing:
    """The elements of one picture."""

    def __init__(self, title, height):
        self.height, self.parts = height, []
        self.text(12, 22, title, size=15)

    def text(self, x, y, text, anchor="start", size=12, colour="#222"):
        """A word."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour="#ccc", width=1):
        """A line."""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def add(self, text):
        """Any element."""
        self.parts.append(text)

    def write(self, path):
        """The file."""
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}" font-family="sans-serif">'
                        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def bars(path, title, samples, metric):
    """A bar for each candidate: the median, and a whisker from quartile to quartile."""
    names = [name for name in samples.candidates() if samples.get(metric, name)]
    drawing = Drawing(f"{title}: {metric}", TOP + ROW * len(names) + 12)
    most = max(quartiles(samples.get(metric, name))[1] for name in names) or 1
    for row, name in enumerate(names):
        values, y = samples.get(metric, name), TOP + ROW * row
        low, middle, high = (LEFT + value / most * (WIDTH - LEFT - RIGHT) for value in (quartiles(values)[0], statistics.median(values), quartiles(values)[1]))
        colour = COLOURS[1] if "lazyscgi" in name else COLOURS[0]
        drawing.text(LEFT - 8, y + 14, name, "end")
        drawing.add(f'<rect x="{LEFT}" y="{y + 2}" width="{middle - LEFT:.1f}" height="{ROW - 6}" fill="{colour}"/>')
        drawing.line(low, y + 10, high, y + 10, "#222")
        drawing.text(max(middle, high) + 6, y + 14, f"{statistics.median(values):.4g}")
    drawing.write(path)


def ticks(most):
    """Some round numbers up to the largest."""
    step = 10 ** math.floor(math.log10(most))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if most / (step * part) <= 6)
    return [number * step for number in range(int(most / step) + 1)]


def lines(path, title, across, up, curves):
    """Curves, name -> {x: values of the rounds}: medians over a logarithmic axis, with whiskers."""
    drawing = Drawing(title, HEIGHT + TOP + 60)
    xs = sorted({x for curve in curves.values() for x in curve})
    most = max(quartiles(values)[1] for curve in curves.values() for values in curve.values()) or 1
    span = math.log(xs[-1] / xs[0]) or 1
    left = 70

    def place(x, y):
        return left + math.log(x / xs[0]) / span * (WIDTH - left - LEFT), TOP + HEIGHT * (1 - y / most)

    for tick in ticks(most):
        y = place(xs[0], tick)[1]
        drawing.line(left, y, WIDTH - LEFT, y)
        drawing.text(left - 6, y + 4, f"{tick:g}", "end")
    for x in xs:
        drawing.text(place(x, 0)[0], TOP + HEIGHT + 18, f"{x:g}", "middle")
    drawing.text((left + WIDTH - LEFT) / 2, TOP + HEIGHT + 40, across, "middle")
    drawing.text(left, TOP - 8, up)
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(x, statistics.median(values)) for x, values in sorted(curve.items())]
        drawing.add(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
        for x, values in curve.items():
            low, high = quartiles(values)
            drawing.line(*place(x, low), *place(x, high), colour)
        drawing.text(WIDTH - LEFT + 14, TOP + 14 + 18 * number, name, colour=colour)
    drawing.write(path)
