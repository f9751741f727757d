#!/usr/bin/env python3
"""A long life, compressed: many requests of all kinds, and then nothing may be left that was not there at the start.

    life.py [--short | --long] [--seed N] [FLAVOUR ...]

The long form sends 1,000,000 requests through the module and 100,000 through the CGI program, the short one some thousands.
Among them are requests that fail, visitors who leave midway, servers that die, and app files that are touched and changed.
Descriptors, processes, zombies, temporary files, the state folders and memory of httpd are compared with what they were
after the first twentieth.
"""
import collections
import os
import random
import re
import sys
import threading
import time

from campaign import Broken, Crowd, Place, Verdicts, Visitor, all_pids, options, read, stat, table, wait_until

VISITORS = 6
REQUESTS = {"event": (1500, 50_000), "prefork": (1500, 50_000), "module-event": (6000, 900_000), "module-prefork": (6000, 100_000)}
# Not the default mutex: a visitor who leaves early has mod_cgi end a child that isn't a CGI program yet, and that takes the
# semaphore of all of httpd with it.
LIMITS = {
    "event": "StartServers 1\nServerLimit 1\nThreadsPerChild 12\nMaxRequestWorkers 12\nMinSpareThreads 1\nMaxSpareThreads 12",
    "prefork": "Mutex fcntl\nStartServers 12\nServerLimit 12\nMaxRequestWorkers 12\nMinSpareServers 1\nMaxSpareServers 13",
}
GROWTH_MIB = 8  # in all: eight bytes for each of a million requests
MEAN_PAUSE = 0.2  # seconds between two changes of an app file


# ---- what visitors do ------------------------------------------------------------------------------

def plain(visitor, chance, apps):
    """Ask for something, and give some of what a form would."""
    size, filling = chance.choice((0, 0, 0, 100, 5000)), chance.choice((0, 0, 100, 10000))
    return visitor.ask("POST" if size else "GET", f"{apps['good']}?id=1&n={filling}", b"x" * size)


def large(visitor, chance, apps):
    """Bodies that fill every buffer, with their length told before or not."""
    chunked = chance.random() < 0.5
    return visitor.ask(chance.choice(("PUT", "POST")), apps["good"] + "?id=1&n=200000", b"x" * 150_000, chunked=chunked)


def failing(what):
    """A server that answers badly."""
    return lambda visitor, chance, apps: visitor.ask(chance.choice(("GET", "POST")), f"{apps['good']}?id=1&n=9&do={what}", b"x" * 99)


def at(app, size=0):
    """An app that fails by itself."""
    return lambda visitor, chance, apps: visitor.ask("POST", apps[app], b"x" * size, chunked=True)


def leave(sent, read_some):
    """Leave within the body, before the answer, or within it."""
    def visit(visitor, chance, apps):
        try:
            visitor.send("POST", apps["good"] + "?id=1&n=300000&ms=5", b"x" * sent, promised=100_000)
            if read_some and visitor.head()[0] == 200:
                visitor.read(1000)
        except (Broken, OSError):
            pass
        finally:
            visitor.leave()
        return "left", b""
    return visit


BY_RESTARTS = {502, -1}  # what a server that is told to end may leave to a visitor, whose request it had
# Weight, what is done, and what may come of it.
MIX = {
    "plain": (700, plain, {200} | BY_RESTARTS),
    "large": (60, large, {200} | BY_RESTARTS),
    "closed": (10, failing("close"), {502}),
    "died": (5, failing("exit"), {502}),
    "garbage": (20, failing("garbage"), {502}),
    "short": (10, failing("short"), {-1, 200, 502}),
    "mistake in the app file": (20, at("mistaken"), {500}),
    "start that fails": (20, at("broken"), {503}),
    "no server": (20, at("absent"), {502}),
    "too large": (10, at("limited", 100_000), {413}),
    "left within the body": (20, leave(50_000, False), {"left"}),
    "left before the answer": (20, leave(100_000, False), {"left"}),
    "left within the answer": (20, leave(100_000, True), {"left"}),
}


def visit(number, seed, port, apps, count):
    """Send so many requests; the counts of what came of each kind."""
    chance, visitor, got = random.Random(seed), Visitor(port), collections.Counter()
    names, weights = list(MIX), [weight for weight, _, _ in MIX.values()]
    for name in chance.choices(names, weights, k=count):
        got[name, MIX[name][1](visitor, chance, apps)[0]] += 1
    visitor.leave()
    return got


def meddle(app, chance, ended):
    """Touch and change an app file until the end."""
    while not ended.wait(chance.expovariate(1 / MEAN_PAUSE)):
        if chance.random() < 0.5:
            app.touch()
            continue
        with open(app.file) as file:
            text = re.sub("env = .*", f"env = A={chance.random()}", file.read())
        os.chmod(app.make("new", text), 0o755)
        os.replace(os.path.join(app.folder, "new"), app.file)


# ---- what is left ----------------------------------------------------------------------------------

def kilobytes(pid, file, name):
    """A line of a file of /proc/PID."""
    found = re.search(rb"(?m)^%s:\s+(\d+)" % name, read(f"/proc/{pid}/{file}"))
    return int(found[1]) if found else 0


class Traces:
    """What there is of httpd and its apps."""

    def __init__(self, place):
        parents = {pid: int((stat(pid) or [0, 0])[1]) for pid in all_pids()}
        family = {place.httpd.process.pid}
        while grown := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= grown
        self.zombies = sum(stat(pid)[:1] == [b"Z"] for pid in family)
        self.servers = len({pid for app in place.apps for pid in app.pids()})
        self.helpers = len({pid for app in place.apps for pid in app.helpers()})
        self.descriptors = sorted(tuple(sorted(self.links(pid).items())) for pid in family)
        self.memory = sum(kilobytes(pid, "smaps_rollup", b"Pss") for pid in family)
        self.resident = sum(kilobytes(pid, "status", b"VmRSS") for pid in family)
        self.processes = len(family)
        self.temporary = os.listdir(place.root + "/tmp")
        folders = [app.state_folder for app in place.apps] + [place.root + "/run"]
        self.state = sorted(os.path.join(path, name) for folder in folders for path, _, names in os.walk(folder) for name in names
                            if not name.endswith(".silence"))  # which comes and goes with slow answers

    @staticmethod
    def links(pid):
        """How many descriptors of each kind a process has."""
        kinds = collections.Counter()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                kinds[re.sub(r":\[\d+\]", "", os.readlink(f"/proc/{pid}/fd/{fd}"))] += 1
            except FileNotFoundError:
                pass
        return kinds

    @property
    def all_descriptors(self):
        """The number of descriptors of all processes."""
        return sum(count for process in self.descriptors for _, count in process)

    def same(self, other):
        """What of both is to be equal."""
        return all(getattr(self, name) == getattr(other, name) for name in ("processes", "helpers", "zombies", "descriptors"))


def settled(place):
    """What there is once nothing changes any more."""
    last = None

    def look():
        nonlocal last
        try:
            last, before = Traces(place), last
        except FileNotFoundError:  # a process has ended meanwhile
            return None
        return before and last.same(before) and not last.zombies and not last.helpers and last
    return wait_until(look, 60, "httpd to settle")


def load(place, apps, total, chance):
    """Send so many requests with the app file changing meanwhile; what came of them."""
    crowd, ended = Crowd(VISITORS, visit, chance, place.httpd.port, apps, -(-total // VISITORS)), threading.Event()
    meddler = threading.Thread(target=meddle, args=(place.apps[0], chance, ended))
    meddler.start()
    try:
        return sum(crowd.results(), collections.Counter())
    finally:
        ended.set()
        meddler.join()


def run(flavour, total, seed, verdict):
    """One flavour; its column of the table."""
    chance = random.Random(f"{seed} {flavour}")
    with Place(flavour, LIMITS) as place:
        apps = {"good": place.app("good", env="A=0"), "mistaken": place.app("mistaken", text="strat = x\n"),
                "broken": place.app("broken", start="exit 3"), "absent": place.app("absent", start=None, socket="./none.sock"),
                "limited": place.app("limited", start=None, max_body="64K")}
        urls = {name: app.url for name, app in apps.items()}
        place.httpd.start()
        load(place, urls, max(total // 20, 600), chance)
        before, begin = settled(place), time.monotonic()
        got = load(place, urls, total, chance)
        taken, after = time.monotonic() - begin, settled(place)
        starts, log = len(apps["good"].starts()), place.httpd.log()
    unexpected = {key: count for key, count in got.items() if key[1] not in MIX[key[0]][2]}
    growth = (after.memory - before.memory) / 1024
    for good, what in ((not unexpected, f"every request got what it should {unexpected or ''}"),
                       (after.descriptors == before.descriptors, "descriptors are as at the start"),
                       (after.processes == before.processes, "processes are as at the start"),
                       (after.state == before.state, "files in the state folders are as at the start"),
                       (not after.temporary, "no temporary file is left"),
                       (growth <= GROWTH_MIB, f"memory has grown by {growth:.1f} MiB, at most {GROWTH_MIB}"),
                       ("exit signal" not in log and "Sanitizer" not in log, "httpd went on")):
        verdict(good, f"{flavour}: {what}")
    failed = sum(count for (_, status), count in got.items() if status not in (200, "left"))
    left = sum(count for (_, status), count in got.items() if status == "left")
    return [got.total(), failed, left, starts, f"{got.total() / taken:.0f}",
            *(f"{getattr(before, name)} -> {getattr(after, name)}" for name in ("all_descriptors", "processes", "zombies", "servers")),
            f"{len(before.temporary)} -> {len(after.temporary)}", f"{len(before.state)} -> {len(after.state)}",
            f"{before.memory / 1024:.1f} -> {after.memory / 1024:.1f}", f"{before.resident / 1024:.1f} -> {after.resident / 1024:.1f}"]


ROWS = ("requests", "failed, as they should", "visitors left midway", "starts of the server", "requests/s",
        "descriptors of httpd", "processes of httpd", "zombies", "processes of the server", "temporary files", "files of the state", "PSS, MiB", "RSS, MiB")


def main():
    chosen = options(__doc__)
    verdict, names = Verdicts(), chosen.flavours
    print(f"seed {chosen.seed}")
    columns = [run(name, REQUESTS[name][chosen.long], chosen.seed, verdict) for name in names]
    table("A long life", names, list(zip(ROWS, zip(*columns))))
    sys.exit(verdict.failed)


if __name__ == "__main__":
    main()
