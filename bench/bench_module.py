"""The module's hot path: small replies over keep-alive connections."""
import collections
import re
import signal
import subprocess

import httpd
from apache import Apache
from visit import Visit
from lab import HERE, SMALL, cpu
from nginx import SCGI, Nginx
from samples import Samples, interleaved

FLOOR, REFERENCE = "trivial handler", "mod_proxy_scgi"
MODULES = ["proxy", "proxy_scgi", "proxy_fcgi", "fcgid", "lazyscgi", "trivial"]
PLACES = """
<Location "/lazyscgi">
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
    flags = [part for word in ("INCLUDEDIR", "APR_INCLUDEDIR") for part in ("-I", httpd_says(word))]
    lab.compile("mod_trivial", "-O2", "-fPIC", "-shared", "-D_GNU_SOURCE", *flags, name="mod_trivial.so")


def httpd_says(word):
    """A setting of the installed httpd."""
    return subprocess.run(["apxs", "-q", word], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def servers(lab):
    """The servers, and all candidates: name -> (server, path)."""
    compile_trivial(lab)
    for kind in ("scgi", "fastcgi"):
        lab.backend(kind)
    folder = lab.root / "fcgid"
    folder.mkdir(exist_ok=True)
    lab.script(folder / "app", f"#!/bin/sh\nexec {lab.compile('backend', '-O2')} fastcgi -\n")
    apache, nginx = Apache(lab, "event", MODULES, PLACES), Nginx(lab, SCGI)
    (lab.root / "www/small").write_bytes(b"x" * SMALL)
    return {
        FLOOR: (apache, "/trivial/?"), "trivial, flushed": (apache, "/trivial/flush?"), "static file": (apache, "/small?"), "mod_lazyscgi": (apache, "/lazyscgi/?"),
        REFERENCE: (apache, "/proxy_scgi/?"), "mod_proxy_fcgi": (apache, "/proxy_fcgi/?"), "mod_fcgid": (apache, "/fcgid/app?"),
        "nginx scgi_pass": (nginx, "/scgi/?"),
    }


def turn(lab, samples, name, server, path, connections, seconds):
    """One turn of a candidate."""
    pids = server.pids()
    before = cpu(pids)
    visit = Visit(lab, server.at(path), connections, seconds)
    samples.add(name, failures=visit.failures, requests_per_second=visit.rate, CPU_us=(cpu(pids) - before) / visit.count * 1e6)


def system_calls(lab, where, server):
    """What httpd's processes call for one request: counts by name, and the calls of one in order."""
    trace = lab.root / "trace"
    pids = server.pids()[1:]
    tracer = lab.start("strace", "-f", "-qq", "-s", "40", "-o", trace, *(word for pid in pids for word in ("-p", pid)))
    count = 60
    Visit(lab, where, count=20)  # until it has attached, and after
    Visit(lab, where, count=count)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    lab.processes.remove(tracer)
    lines = [line.split(None, 1) for line in trace.read_text().splitlines()]
    requests = [number for number, (_, call) in enumerate(lines) if call.startswith("read(") and '"GET /' in call]
    first, last = requests[-count // 2], requests[-1]
    thread = lines[last][0]
    calls = [call for pid, call in lines[first:last] if pid == thread and "resumed>" not in call]
    names = collections.Counter(re.match(r"\w+", call)[0] for call in calls)
    return {name: number / (count // 2 - 1) for name, number in names.most_common()}, calls[-len(calls) // (count // 2 - 1):]


def run(lab, options, report):
    """Tables for each number of connections, then the system calls."""
    candidates = servers(lab)
    for connections in (1, 8, 50):
        samples = Samples()
        for name in candidates:
            Visit(lab, candidates[name][0].at(f"{candidates[name][1]}{SMALL}"), connections, seconds=0.3)
        for name in interleaved(candidates, options.rounds):
            turn(lab, samples, name, candidates[name][0], f"{candidates[name][1]}{SMALL}", connections, options.seconds)
        title = f"{SMALL} bytes, {connections} connections, turns of {options.seconds} s"
        report.table(f"module {connections}", title, samples, REFERENCE, ["requests per second", "CPU us"])
        report.table(f"module {connections}", title, samples, "nginx scgi_pass", ["requests per second"])
        report.table(f"module {connections}", "CPU", samples, REFERENCE, ["CPU us"], FLOOR)
    for name in ("mod_lazyscgi", REFERENCE, FLOOR):
        server, path = candidates[name]
        names, calls = system_calls(lab, server.at(f"{path}{SMALL}"), server)
        report.say(f"\nSystem calls of one request to {name}: {sum(names.values()):.1f}")
        report.say("  " + ", ".join(f"{call} {number:.1f}" for call, number in names.items()))
        report.say("".join(f"    {call}\n" for call in calls))
        report.keep(f"module system calls of {name}", {"counts": names, "calls": calls})
