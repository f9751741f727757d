#!/usr/bin/env python3
"""Kills a server again and again while requests come, and counts what becomes of them.

    back.py [--short | --long] [--seed N] [FLAVOUR ...]

The short form kills 10 times in each flavour of httpd, the long one 1,000 times: the server's master, its process group,
or one of its workers, at random moments; now and then it touches the app file, for a restart. Visitors send GET, PUT and
POST, with bodies of all sizes and with none. The server notes what it reads, so that for each request that failed it is known
whether any server had it.
"""
import collections
import contextlib
import multiprocessing
import os
import random
import re
import signal
import sys
import time

from campaign import Crowd, Place, Verdicts, Visitor, group, options, stat, table, wait_until

VISITORS = 6
MEAN_PAUSE = 0.03  # seconds between a server's start, or the last kill, and the next kill
SIZES = (0, 1, 100, 5000, 60000, 65536, 70000, 300000)
SAFE = ("GET", "PUT")
CUT, SHORT, WRONG, NO_REPLY = "cut", "cut, but looks whole", "wrong", "no reply"


class Sent:
    """A request and what became of it: a status, CUT, SHORT, WRONG or NO_REPLY."""

    def __init__(self, name, method, body, chunked, outcome):
        self.name, self.method, self.size, self.chunked, self.outcome = name, method, len(body), chunked, outcome

    def __str__(self):
        return f"{self.method} of {self.size} bytes{' (chunked)' * self.chunked}: {self.outcome}"

    @property
    def may_replay(self):
        """Whether lazyscgi may send it twice: not if its body has no end that is known, and is larger than a buffer."""
        return self.method in SAFE and (self.chunked or self.size <= 65536)


def outcome(status, reply, line, filling):
    """What a visitor got: 200 for all of the answer."""
    if status != 200:
        return {0: NO_REPLY, -1: CUT}.get(status, status)
    whole = line + bytes(filling)
    return 200 if reply == whole else SHORT if whole.startswith(reply) else WRONG


def visit(number, seed, port, url, stop):
    """Send requests until it is time to stop; all of them."""
    chance, visitor, sent = random.Random(seed), Visitor(port), []
    while not stop.is_set():
        method, size = chance.choice(("GET", "GET", "PUT", "POST", "POST")), chance.choice(SIZES)
        body = b"" if method == "GET" else bytes([chance.randrange(256)]) * size
        name, filling, ms = f"{number}.{len(sent)}", chance.choice((0, 0, 0, 1000, 100000)), chance.choice((0, 0, 1, 3))
        chunked = bool(body) and chance.random() < 0.1
        status, reply = visitor.ask(method, f"{url}?id={name}&n={filling}&ms={ms}", body, chunked=chunked)
        line = f"{name} {sum(body) % (1 << 32)}\n".encode()
        sent.append(Sent(name, method, body, chunked, outcome(status, reply, line, filling)))
    visitor.leave()
    return sent


class Killer:
    """Kills the server of an app."""

    def __init__(self, app, program, crowd, chance):
        self.app, self.program, self.crowd, self.chance = app, program, crowd, chance
        self.kills = collections.Counter()

    def up(self):
        """The master of the server that is up."""
        starts = self.app.starts()
        try:
            state = self.app.state()
        except (OSError, ValueError):
            return 0
        return starts[-1] if starts and state.get("outcome") == "up" and int(state["pid"]) == starts[-1] else 0

    def kill(self):
        """Kill something of the server, if anything is left of it, or have it restarted."""
        master = self.up()
        members = group(master, self.program) if master else []
        if not members:
            return
        workers = [pid for pid in members if pid != master]
        kinds = {"group": members, "process": [master] * (master in members), "worker": workers[:1], "touch": []}
        kind = self.chance.choice([kind for kind, victims in kinds.items() if victims or kind == "touch"])
        if kind == "touch":
            self.app.touch()
        for pid in kinds[kind]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kills[kind] += 1

    def run(self, total):
        """Kill so often, at random moments of a server that is up."""
        while self.kills.total() - self.kills["touch"] < total:
            self.crowd.check()
            wait_until(self.up, 60, "a server that is up")
            time.sleep(self.chance.expovariate(1 / MEAN_PAUSE))
            self.kill()


def run(flavour, total, seed, verdict):
    """Kill so often in one flavour; the column of the table."""
    chance = random.Random(f"{seed} {flavour}")
    with Place(flavour) as place:
        app = place.app()
        app.make("notes")
        place.httpd.start()
        stop = multiprocessing.Event()
        crowd = Crowd(VISITORS, visit, chance, place.httpd.port, app.url, stop)
        killer = Killer(app, place.server, crowd, chance)
        try:
            killer.run(total)
        finally:
            stop.set()
        sent = sum(crowd.results(), [])
        last = Visitor(place.httpd.port).ask("GET", app.url + "?id=last")
        log = place.httpd.log()
        noted = collections.Counter(app.notes.lines("notes"))
        faults, starts = app.notes.lines("faults"), len(app.starts())
    return judge(flavour, verdict, sent, noted, killer.kills, starts, faults, last[0], log)


def judge(flavour, verdict, sent, noted, kills, starts, faults, last, log):
    """Compare what the visitors got with what the server has read; the column of the table."""
    failed = [each for each in sent if each.outcome != 200]
    read = {each.name: noted[f"r {each.name}"] for each in sent}
    seen = {each.name: noted[f"p {each.name}"] for each in sent}
    # A server killed between two notes may have read it, or begun to answer, or not.
    once = [each for each in failed if each.may_replay and read[each.name] == seen[each.name] == 1 and not noted[f"a {each.name}"]]
    twice = [each for each in sent if each.method == "POST" and read[each.name] > 1]
    unseen = [each for each in failed if not seen[each.name]]
    outcomes = collections.Counter(each.outcome for each in failed)
    # CGI has no way to say that a reply was cut short.
    allowed = (502, CUT) if flavour.startswith("module") else (502, CUT, SHORT)
    for faulty, what in ((unseen, "no request failed that reached no server"),
                         (once, "no request failed that could have been sent once more"),
                         (twice, "no POST was read twice"),
                         (faults, "never two servers at a time"),
                         ([each for each in failed if each.outcome not in allowed], "no failure of another kind"),
                         (re.findall(".*(?:exit signal|Sanitizer).*", log), "httpd went on"),
                         ([] if last == 200 else [last], "the last request is served")):
        verdict(not faulty, f"{flavour}: {what}" + "".join(f"\n    {each}" for each in faulty[:10]))
    return [*(kills[kind] for kind in ("process", "group", "worker", "touch")), starts, len(sent), len(sent) - len(failed),
            sum(count > 1 for count in read.values()), len(failed), *(outcomes[key] for key in (502, CUT, SHORT)), len(unseen)]


ROWS = ("kill -9 of the master", "kill -9 of the group", "kill -9 of a worker", "app file touched", "starts", "requests", "answered",
        "read twice (replayed)", "failed", "... 502", "... cut short", "... cut short, but looks whole", "failed, and no server had it")


def main():
    chosen = options(__doc__)
    total = 1000 if chosen.long else 10
    print(f"{total} kills in each flavour, seed {chosen.seed}")
    verdict, names = Verdicts(), chosen.flavours
    columns = [run(name, total, chosen.seed, verdict) for name in names]
    table("Servers killed under load", names, list(zip(ROWS, zip(*columns))))
    sys.exit(verdict.failed)


if __name__ == "__main__":
    main()
