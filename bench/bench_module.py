"""The module's hot path: small replies over keep-alive connections."""
import collections
import re
import subprocess

from apache import Apache
from visit import Visit
from lab import SMALL, cpu, switches
from nginx import SCGI, Nginx
from samples import Samples, interleaved

FLOOR, REFERENCE, TALK = "trivial handler", "mod_proxy_scgi", "SCGI without httpd"
PATHS = {FLOOR: "/trivial/", "trivial, flushed": "/trivial/flush", "mod_lazyscgi": "/app/", "mod_lazyscgi inline": "/inline/",
         REFERENCE: "/proxy_scgi/"}
MODULES = ["proxy", "proxy_scgi", "proxy_fcgi", "fcgid", "lazyscgi", "trivial"]
PLACES = """
<Location "/app">
    LazySCGIApp "{root}/apps/module.lscgi"
</Location>
<Location "/inline">
    LazySCGI socket "{root}/scgi.sock"
</Location>
ProxyPass "/proxy_scgi" "unix:{root}/scgi.sock|scgi://localhost"
ProxyPass "/proxy_fcgi" "unix:{root}/fastcgi.sock|fcgi://localhost" enablereuse=on
FcgidIPCDir "{folder}/fcgid"
FcgidProcessTableFile "{folder}/fcgid.table"
FcgidMaxRequestLen 8589934592
FcgidMaxProcesses 64
FcgidMaxProcessesPerClass 64
FcgidSpawnScoreUpLimit 1000
<Directory "{root}/fcgid">
    Options ExecCGI
    SetHandler fcgid-script
</Directory>
Alias /fcgid/ "{root}/fcgid/"
"""


def compile_trivial(lab):
    """The module that is the floor."""
    flags = [part for word in ("INCLUDEDIR", "APR_INCLUDEDIR") for part in ("-I", apxs(word))]
    lab.compile("mod_trivial", "-O2", "-fPIC", "-shared", "-D_GNU_SOURCE", *flags, name="mod_trivial.so")


def apxs(word):
    """A setting of the installed httpd."""
    return subprocess.run(["apxs", "-q", word], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def prepare(lab):
    """All that the servers need."""
    compile_trivial(lab)
    for kind in ("scgi", "fastcgi"):
        lab.backend(kind)
    lab.app_file(lab.folder("apps") / "module.lscgi")
    lab.script(lab.folder("fcgid") / "app", f"#!/bin/sh\nexec {lab.compile('backend', '-O2')} fastcgi -\n")
    (lab.folder("www") / "small").write_bytes(b"x" * SMALL)


def servers(lab):
    """All candidates: name -> (server, path)."""
    prepare(lab)
    apache, nginx = Apache(lab, "event", MODULES, PLACES), Nginx(lab, SCGI)
    paths = {**PATHS, "static file": "/small", "mod_proxy_fcgi": "/proxy_fcgi/", "mod_fcgid": "/fcgid/app"}
    found = {**{name: (apache, f"{path}?{SMALL}") for name, path in paths.items()}, "nginx scgi_pass": (nginx, f"/scgi/?{SMALL}")}
    for other in lab.others:
        found[f"mod_lazyscgi of {other.name}"] = (Apache(lab, "event", MODULES, PLACES, build=other), f"{PATHS['mod_lazyscgi']}?{SMALL}")
    return found


def turn(lab, samples, name, server, path, connections, seconds):
    """One turn of a candidate."""
    pids = server.pids()
    slept, used = switches(pids), cpu(pids)
    visit = Visit(lab, server.at(path), connections, seconds)
    samples.add(name, failures=visit.failures, requests_per_second=visit.rate, CPU_us=(cpu(pids) - used) / visit.count * 1e6,
                sleeps=(switches(pids) - slept) / visit.count)


def talk(lab, samples, connections, seconds):
    """One turn of SCGI without any web server: what it costs whoever speaks it."""
    words = [lab.compile("talk", "-O2"), connections, seconds, lab.backend("scgi"), SMALL]
    count, taken, used = map(int, subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, text=True, check=True).stdout.split())
    samples.add(TALK, requests_per_second=count / taken * 1e9, CPU_us=used / count)


def system_calls(lab, path):
    """What httpd calls for one request after the other: calls of each name per request, and those of one in order."""
    trace = lab.root / "trace"
    count = 40
    server = Apache(lab, "event", MODULES, PLACES, single=True)
    Visit(lab, server.at(path), count=count)
    tracer = lab.start("strace", "-f", "-s", "40", "-e", "signal=none", "-o", trace, "-p", server.process.pid, stderr=subprocess.PIPE)
    tracer.stderr.readline()  # it has attached
    Visit(lab, server.at(path), count=count)
    lab.stop(tracer)
    lab.stop(server.process)
    lines = [line.split(None, 1)[1] for line in trace.read_text().splitlines()]
    begins = [number for number, call in enumerate(lines) if re.match(r'.*read.*"GET /', call)][-count // 2:-1]
    calls = [call for call in lines[begins[0]:begins[-1]] if "resumed>" not in call and "(" in call]
    names = collections.Counter(call.partition("(")[0] for call in calls)
    return {name: number / (len(begins) - 1) for name, number in names.most_common()}, lines[begins[-2]:begins[-1]]


def run(lab, options, report):
    """Tables for each number of connections, then the system calls."""
    candidates = servers(lab)
    for connections in (1, 8, 50):
        samples = Samples()
        for server, path in candidates.values():
            Visit(lab, server.at(path), connections, seconds=0.3)
        for name in interleaved([*candidates, TALK], options.rounds):
            if name == TALK:
                talk(lab, samples, connections, options.seconds)
            else:
                turn(lab, samples, name, *candidates[name], connections, options.seconds)
        title = f"{SMALL} bytes, {connections} connections, turns of {options.seconds} s"
        report.table(f"module {connections}", title, samples, REFERENCE, ["requests per second", "CPU us"], ["sleeps", "failures"])
        report.table(f"module {connections}", title, samples, "nginx scgi_pass", ["requests per second"])
        report.table(f"module {connections}", "CPU", samples, REFERENCE, ["CPU us"], floor=FLOOR)
        report.bars(f"module-{connections}", title, samples, "requests per second")
        report.bars(f"module-{connections}-cpu", title, samples, "CPU us")
    for name in PATHS:
        names, calls = system_calls(lab, f"{PATHS[name]}?{SMALL}")
        report.say(f"\nSystem calls of one request to {name}: {sum(names.values()):.1f}")
        report.say("  " + ", ".join(f"{call} {number:.1f}" for call, number in names.items()))
        report.say("".join(f"    {call}\n" for call in calls))
        report.keep(f"module system calls of {name}", {"counts": names, "calls": calls})
