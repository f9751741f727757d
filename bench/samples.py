"""What a bench measured: one value a round for each candidate and metric."""
import statistics


def quartiles(values):
    """The first and the third quartile."""
    if len(values) < 2:
        return min(values), max(values)
    cuts = statistics.quantiles(values, n=4, method="inclusive")
    return cuts[0], cuts[2]


def interleaved(candidates, rounds):
    """Each candidate once a round; who comes first changes with each round."""
    candidates = list(candidates)
    for turn in range(rounds):
        first = turn % len(candidates)
        yield from candidates[first:] + candidates[:first]


class Samples:
    """The values, by metric and candidate."""

    def __init__(self):
        self.values = {}

    def add(self, candidate, **values):
        """Add the values of one round; _ in a metric's name stands for a space."""
        for metric, value in values.items():
            self.values.setdefault(metric.replace("_", " "), {}).setdefault(candidate, []).append(value)

    def candidates(self):
        """All candidates, in the order in which they came."""
        return list(dict.fromkeys(name for values in self.values.values() for name in values))

    def get(self, metric, candidate):
        """The values of one."""
        return self.values.get(metric, {}).get(candidate, [])

    def median(self, metric, candidate):
        """The median of one, None if it has no value."""
        values = self.get(metric, candidate)
        return statistics.median(values) if values else None

    def ratios(self, metric, candidate, reference, floor=None):
        """One against another within each round, both beyond the floor if there is one."""
        mine, theirs = self.get(metric, candidate), self.get(metric, reference)
        base = self.get(metric, floor) if floor else [0] * len(mine)
        return [(m - b) / (t - b) for m, t, b in zip(mine, theirs, base) if t > b]
