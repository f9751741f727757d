"""Cold start: what lazyscgi adds to the time that a server takes to start, however many requests wait for it."""
import os
import signal
import statistics
import subprocess
import time

import httpd
from apache import Apache
from lab import VARIABLES, cpu_with_children
from process import all_pids, exe, kill, wait_until
from samples import Samples, interleaved

COUNTS = (1, 50, 200, 1000)
METRICS = ["command ms", "answer ms", "last answer ms", "together ms", "failures", "CPU us", "warm CPU us"]
PLACES = """
ScriptSock "{folder}/cgid.sock"
LazySCGIMaxWaiters 1100
<Directory "{root}/apps">
    Options ExecCGI
    AddHandler cgi-script .cgi
    AddHandler lazyscgi .lscgi
</Directory>
Alias /apps/ "{root}/apps/"
"""


class Cold:
    """One way to an app whose server takes its time."""

    def __init__(self, lab, server, kind, name, count):
        folder = lab.folder("apps")
        self.lab, self.server, self.count = lab, server, count
        self.program = lab.copy(lab.compile("backend", "-O2"), "cold-server")
        self.notes = folder / f"{name}.notes"
        self.delay = 2000 if count > 500 else 500
        self.file = lab.app_file(folder / name, lab.program, self.program, f"32 {self.delay} {self.notes}")
        self.words = ["cgi", count, self.file] if kind == "cgi" else ["http", count, server.port, f"/apps/{name}?100"]

    def herd(self):
        """All requests at once: (sent, answered, good) of each, and the CPU us that they took."""
        pids = self.server.pids() if self.server else []
        before = cpu_with_children(pids)
        words = [self.lab.compile("herd", "-O2"), *self.words]
        output = subprocess.run(list(map(str, words)), env={**VARIABLES, "SCRIPT_FILENAME": str(self.file)}, stdout=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True, check=True, user=httpd.user().pw_name if httpd.ROOT else None).stdout
        *lines, used = output.splitlines()
        return [tuple(map(int, line.split())) for line in lines], int(used) + (cpu_with_children(pids) - before) * 1e6

    def turn(self, samples, name):
        """A herd that finds no server, and one that finds it."""
        kill([pid for pid in all_pids() if exe(pid) == str(self.program)], signal.SIGKILL)
        if self.notes.exists():
            self.notes.unlink()
        visits, used = self.herd()
        begin, listening = map(int, self.notes.read_text().split())
        delays = sorted((answered - listening) / 1e6 for _, answered, good in visits if good)
        command, answer = (begin - min(visits)[0]) / 1e6, statistics.median(delays)
        samples.add(name, command_ms=command, answer_ms=answer, last_answer_ms=delays[-1], together_ms=command + answer,
                    failures=self.count - len(delays), CPU_us=used / self.count, warm_CPU_us=self.herd()[1] / self.count)


def sh_floor(lab, samples):
    """What a shell takes that becomes the server: the floor of `command ms`."""
    notes, program = lab.root / "floor.notes", lab.compile("backend", "-O2")
    begin = time.monotonic_ns()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"exec {program} scgi {lab.root}/floor.sock 1 0 {notes}"], {})
    wait_until(notes.exists, what="the notes of a server")
    samples.add("sh -c alone", command_ms=(int(notes.read_text().split()[0]) - begin) / 1e6)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    notes.unlink()


def run(lab, options, report):
    """A table for each number of requests that wait."""
    apache = Apache(lab, "event-large", ["cgid", "lazyscgi", "mime"], "TypesConfig /dev/null\n" + PLACES)
    curves = {}
    for count in COUNTS[:3] if options.quick else COUNTS:
        samples = Samples()
        candidates = {
            "CGI program": Cold(lab, None, "cgi", f"cold-{count}.cgi", count),
            "event + mod_cgid": Cold(lab, apache, "http", f"cgid-{count}.cgi", count),
            "mod_lazyscgi": Cold(lab, apache, "http", f"module-{count}.lscgi", count),
        }
        for name in interleaved(candidates, max(3, options.rounds // 2)):
            candidates[name].turn(samples, name)
            if count == 1:
                sh_floor(lab, samples)
        report.table(f"cold {count}", f"{count} requests wait for a start (server listens after {candidates['CGI program'].delay} ms)",
                     samples, None, METRICS)
        for name in candidates:
            curves.setdefault(f"{name}, cold", {})[count] = samples.get("CPU us", name)
            curves.setdefault(f"{name}, warm", {})[count] = samples.get("warm CPU us", name)
    report.lines("cold-cpu", "CPU of a request that waits for a start, and of one that doesn't", "requests at once", "us per request", curves)
