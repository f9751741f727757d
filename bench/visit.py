"""The visitor: visit.c, and what it saw."""
import statistics
import subprocess


class Visit:
    """Requests over keep-alive connections."""

    def __init__(self, lab, where, connections=1, seconds=0, count=0, headers=0, places=1):
        port, path = where
        words = [lab.compile("visit", "-O2"), connections, seconds, count, port, path, headers, places]
        lines = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
        self.count, self.failures, taken = map(int, lines[0].split())
        self.seconds = taken / 1e9
        self.us = list(map(int, lines[1:-1]))

    @property
    def rate(self):
        """Requests per second."""
        return self.count / self.seconds

    def stalls(self, us):
        """How many requests took so much longer than the rest, whose median counts."""
        quick = sorted(self.us)[len(self.us) // 10]
        rest = statistics.median(value for value in self.us if value < quick + us)
        return sum(value >= rest + us for value in self.us)
