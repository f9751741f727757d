"""The report of a run: text that is shown and kept, numbers, plots."""
import json
import os
import platform
import re
import statistics

import plot
from samples import quartiles


def shown(value):
    """A number in three or four digits."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def ratio(values):
    """A median ratio with its quartiles."""
    if not values:
        return "-"
    low, high = quartiles(values)
    return f"{statistics.median(values):.2f} ({low:.2f}-{high:.2f})"


def machine():
    """The machine, in general terms."""
    with open("/proc/cpuinfo") as file:
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1])
    return f"{os.cpu_count()} processors ({names[0] if names else platform.machine()}), {memory / 2**20:.0f} GiB, Linux {platform.release()}"


class Report:
    """What is said goes to the terminal, report.txt and results.json."""

    def __init__(self, folder):
        self.folder = folder
        self.said, self.results = [], {"machine": machine(), "load": os.getloadavg()}
        folder.mkdir(parents=True, exist_ok=True)

    def say(self, text=""):
        """A line, or several."""
        print(text, flush=True)
        self.said.append(text)

    def table(self, name, title, samples, reference, metrics, plain=(), floor=None):
        """Medians, each with its ratio to the reference, if any (beyond the floor, likewise), then the plain ones."""
        rows = [["", *(cell for metric in metrics for cell in (metric, f"/ {reference}")[:2 if reference else 1]), *plain]]
        for candidate in samples.candidates():
            row = [candidate]
            for metric in metrics:
                row.append(shown(samples.median(metric, candidate)))
                if reference:
                    row.append(ratio(samples.ratios(metric, candidate, reference, floor)))
            rows.append(row + [shown(samples.median(metric, candidate)) for metric in plain])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        self.say(f"\n{title}" + (f"; ratios of what is beyond {floor}" if floor else ""))
        for row in rows:
            self.say("  " + "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                                      for column, (cell, width) in enumerate(zip(row, widths))))
        self.keep(name, samples.values)

    def bars(self, name, title, samples, metric):
        """A plot of one metric."""
        plot.bars(self.folder / f"{name}.svg", title, samples, metric)

    def lines(self, name, title, across, up, curves):
        """A plot of curves, and their medians as a table."""
        self.say(f"\n{title}: {up}, by {across}")
        for curve, points in curves.items():
            self.say(f"  {curve:28}" + "".join(f"  {x:>5}: {shown(statistics.median(values)):>5}" for x, values in sorted(points.items())))
        plot.lines(self.folder / f"{name}.svg", title, across, up, curves)
        self.keep(name, curves)

    def keep(self, name, numbers):
        """Numbers for results.json."""
        self.results[name] = numbers
        self.write()

    def write(self):
        """Write what there is so far."""
        (self.folder / "report.txt").write_text("\n".join(self.said) + "\n")
        (self.folder / "results.json").write_text(json.dumps(self.results, indent=1) + "\n")
