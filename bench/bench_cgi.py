"""The CGI program by itself: what one request costs from fork to the end of the output."""
import statistics
import subprocess

import httpd
from lab import HERE, VARIABLES, reply
from samples import Samples, interleaved

FLOOR = "bare, no libc"
METRICS = ["wall us", "quick tenth us", "CPU us", "page faults"]
TURN = 50  # requests
ELSEWHERE = "lazyscgi, not by httpd"  # which needs no last process to end its reply


class Runner:
    """Runs CGI programs, by runner.c."""

    def __init__(self, lab):
        self.program = lab.compile("runner", "-O2")

    def run(self, words, before=(), variables=()):
        """Run a program, which is its own script, and give what is printed."""
        words = list(map(str, words))
        return subprocess.run([*map(str, before), *words], env={**VARIABLES, **dict(variables), "SCRIPT_FILENAME": words[0]}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, check=True, user=httpd.user().pw_name if httpd.ROOT else None).stdout

    def warm_up(self, words):
        """Have the server started that a program may want: by nobody who would wait for its end, as the runner does."""
        assert self.run(words).replace("\n", "") == reply().replace("\r\n", ""), f"{words}: another reply"

    def lines(self, count, words, variables=()):
        """What the runner says about so many requests to a program."""
        return [list(map(int, line.split())) for line in self.run(words, [self.program, count], variables).splitlines()]

    def turn(self, samples, name, words, variables=()):
        """One turn of a candidate."""
        lines = self.lines(TURN, words, variables)
        wall, cpu, minor, major, size = map(statistics.median, zip(*lines))
        assert size == len(reply()), f"{name}: {size} bytes of {len(reply())}"
        samples.add(name, wall_us=wall / 1000, quick_tenth_us=sorted(line[0] for line in lines)[TURN // 10] / 1000,
                    CPU_us=cpu, page_faults=minor + major)

    def memory(self, samples, name, words):
        """What a candidate has in memory at its end."""
        resident, private = self.lines(0, words)[0]
        samples.add(name, resident_KiB=resident, private_KiB=private)


def installed(lab, program, name):
    """A copy of a program as the script, with its app file beside it."""
    lab.app_file(lab.folder("apps") / f"{name}.cgi.conf")
    return lab.copy(program, f"apps/{name}.cgi")


def programs(lab):
    """The plain ones: those that only print."""
    text = reply()
    return {
        FLOOR: [lab.compile("bare", "-Os", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-s", define=text)],
        "hello, static musl": [lab.compile("hello", "-Os", "-static", "-s", cc=("musl-gcc",), name="hello-musl", define=text)],
        "hello, dynamic glibc": [lab.compile("hello", "-O2", name="hello-glibc", define=text)],
    }


def run(lab, options, report):
    """Time, CPU, faults, memory; then the system calls."""
    runner, samples = Runner(lab), Samples()
    bare = programs(lab)[FLOOR][0]
    candidates = {
        **programs(lab),
        "bare by a #! line": [lab.script(lab.root / "bare.cgi", f"#!{bare}\n")],
        "lazyscgi, #! app file": [lab.app_file(lab.folder("apps") / "app.cgi", lab.program)],
        "lazyscgi, copied": [installed(lab, lab.program, "copied")],
        "cgi-fcgi": ["/usr/bin/cgi-fcgi", "-bind", "-connect", lab.backend("fastcgi")],
    }
    for other in lab.others:
        program = lab.copy(other / "cgi/lazyscgi", other.name)
        candidates[f"lazyscgi of {other.name}"] = [lab.app_file(lab.folder("apps") / f"{other.name}.cgi", program)]
    for words in candidates.values():
        runner.warm_up(words)
    candidates[ELSEWHERE] = candidates["lazyscgi, #! app file"]
    for name in interleaved(candidates, options.rounds * 2):
        runner.turn(samples, name, candidates[name], {"SERVER_SOFTWARE": "thttpd"} if name == ELSEWHERE else {})
    for name in candidates:
        runner.memory(samples, name, candidates[name])
    report.table("cgi", f"One request to a CGI program, {TURN} a turn", samples, FLOOR, METRICS)
    report.bars("cgi", "One request to a CGI program", samples, "wall us")
    report.table("cgi", "Memory at its end", samples, None, ["resident KiB", "private KiB"])
    calls = subprocess.run([HERE / "syscalls", lab.program], stdout=subprocess.PIPE, text=True, check=True).stdout
    report.say("\nSystem calls of one request to lazyscgi\n" + "".join(f"  {line}\n" for line in calls.splitlines()))
    report.keep("cgi system calls", calls.splitlines())
