"""Behind httpd: whether httpd holds requests up at their end, and how many it serves."""
import os
import re
import signal
import time

import httpd
from apache import Apache
from bench_cgi import FLOOR, programs
from lab import SMALL, family
from nginx import Nginx
from process import all_pids, stat
from samples import Samples, interleaved
from visit import Visit

STALL = 9000  # us beyond the rest
TURN = 200    # requests
REAP_S = 3    # httpd looks for the dead once a second
PLACES = """
{extra}
<Directory "{{root}}/cgi">
    Options ExecCGI
    SetHandler cgi-script
</Directory>
Alias /cgi/ "{{root}}/cgi/"
"""
FCGIWRAP = """
location /cgi/ {{
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME {root}$fastcgi_script_name;
    fastcgi_pass unix:{root}/fcgiwrap.sock;
}}
"""


class Naps:
    """How often httpd has slept, by naps.c: on a busy machine a request may take its time for other reasons."""

    def __init__(self, lab):
        self.file = lab.script(lab.root / "naps", "\0" * 8)
        library = lab.compile("naps", "-O2", "-fPIC", "-shared", name="naps.so")
        self.environment = {"LD_PRELOAD": str(library), "NAPS": str(self.file)}

    def count(self):
        """So far."""
        return int.from_bytes(self.file.read_bytes(), "little")


def scripts(lab):
    """Name -> file: what a host would run."""
    folder = lab.folder("cgi")
    bare = lab.copy(programs(lab)[FLOOR][0], "cgi/bare.cgi")
    glibc = lab.copy(programs(lab)["hello, dynamic glibc"][0], "cgi/hello.cgi")
    forwarder = lab.script(folder / "cgi-fcgi.cgi", f"#!/usr/bin/cgi-fcgi -f\n-bind -connect {lab.backend('fastcgi')}\n")
    return {"bare hello": bare, "hello, dynamic glibc": glibc, "cgi-fcgi": forwarder, "lazyscgi": lab.app_file(folder / "lazyscgi.cgi", lab.program)}


def zombies(pids, names):
    """How many dead processes nobody has reaped: children of the server, or anybody's by these names."""
    dead = [pid for pid in all_pids() if (stat(pid) or [b""])[0] == b"Z"]
    return sum(int((stat(pid) or [0, 0])[1]) in pids or comm(pid) in names for pid in dead)


def comm(pid):
    """The name of a process."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_fcgiwrap(lab):
    """fcgiwrap, which runs CGI programs for nginx."""
    path = lab.root / "fcgiwrap.sock"
    lab.start("fcgiwrap", "-c", "8", "-s", f"unix:{path}")
    lab.wait_for(path)


def run(lab, options, report):
    """Stalls first, then requests per second, then what is left over."""
    files = scripts(lab)
    (lab.folder("www") / "small").write_bytes(b"x" * SMALL)
    naps = Naps(lab)
    cgid = Apache(lab, "event", ["cgid"], places_for("cgid"), environment=naps.environment)
    cgi = Apache(lab, "prefork", ["cgi"], places_for("cgi"), environment=naps.environment)
    start_fcgiwrap(lab)
    nginx = Nginx(lab, FCGIWRAP)
    candidates = {"static file": (cgid, f"/small?{SMALL}")}
    for server, kind in ((cgid, "event + mod_cgid"), (cgi, "prefork + mod_cgi"), (nginx, "nginx + fcgiwrap")):
        candidates |= {f"{kind}: {name}": (server, f"/cgi/{file.name}?{SMALL}") for name, file in files.items()}
    for server, path in candidates.values():
        Visit(lab, server.at(path), count=20)
    stalls(lab, options, report, candidates, naps)
    rates(lab, options, report, candidates)
    names = {file.name[:15] for file in files.values()} | {"lazyscgi"}
    time.sleep(REAP_S)
    left = {kind: zombies(server.pids(), names) for server, kind in ((cgid, "event + mod_cgid"), (cgi, "prefork + mod_cgi"))}
    left |= {f"{kind} as process 1": as_process_1(lab, kind, files["lazyscgi"].name) for kind in ("event + mod_cgid", "prefork + mod_cgi")}
    report.say("\nProcesses left unreaped: " + ", ".join(f"{number} by {kind}" for kind, number in left.items()))
    report.keep("zombies", left)


def as_process_1(lab, kind, name):
    """The same in a container of sorts, whose process 1 is httpd: orphans are its own to reap."""
    if not httpd.ROOT:
        return "not tried without root"
    mpm, module = re.match(r"(\w+) \+ mod_(\w+)", kind).groups()
    server = Apache(lab, mpm, [module], places_for(module), before=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"))
    for _ in range(3):
        Visit(lab, server.at(f"/cgi/{name}?{SMALL}"), connections=8, count=TURN)
    time.sleep(REAP_S)
    first = family(server.process.pid)[1]
    left = zombies(family(first), set())
    os.kill(first, signal.SIGTERM)
    server.process.wait(20)
    lab.processes.remove(server.process)
    return left


def places_for(module):
    """The places in the config of an httpd whose CGI programs are run by that module."""
    return PLACES.format(extra='ScriptSock "{folder}/cgid.sock"' if module == "cgid" else "")


def stalls(lab, options, report, candidates, naps):
    """One connection, one request after the other."""
    samples, counts = Samples(), {name: [0, 0, 0] for name in candidates}
    for name in interleaved(candidates, options.rounds):
        server, path = candidates[name]
        before = naps.count()
        visit = Visit(lab, server.at(path), count=TURN)
        assert not visit.failures, f"{name}: {visit.failures} of {visit.count} requests failed"
        held, slept = visit.stalls(STALL), naps.count() - before
        counts[name] = [sum(pair) for pair in zip(counts[name], (held, slept, visit.count))]
        samples.add(name, median_ms=sorted(visit.us)[len(visit.us) // 2] / 1000, mean_ms=sum(visit.us) / len(visit.us) / 1000,
                    stalls_percent=100 * held / visit.count, naps_percent=100 * slept / visit.count)
    report.table("stall", f"One connection, {TURN} requests a turn; a stall is {STALL // 1000} ms beyond the rest", samples, None,
                 ["median ms", "mean ms", "stalls percent", "naps percent"])
    report.bars("stall", "One connection, one request after the other", samples, "stalls percent")
    report.bars("stall-naps", "One connection, one request after the other", samples, "naps percent")
    report.say("  of all requests of all turns: " + ", ".join(
        f"{name} {100 * held / of:.2f} % stalled, {100 * slept / of:.2f} % with a nap of httpd's" for name, (held, slept, of) in counts.items()))
    report.keep("stall counts", counts)


def rates(lab, options, report, candidates):
    """Requests per second at several concurrencies."""
    samples = Samples()
    for connections in (1, 8, 50):
        for name in interleaved(candidates, max(3, options.rounds // 3)):
            server, path = candidates[name]
            visit = Visit(lab, server.at(path), connections, options.seconds)
            samples.add(name, **{f"rps at {connections}": visit.rate, f"failures at {connections}": visit.failures})
    report.table("stall rates", "Requests per second", samples, None,
                 [f"{what} at {connections}" for connections in (1, 8, 50) for what in ("rps", "failures")])
