"""Runs the benches: see bench/run."""
import argparse
import importlib
import pathlib
import signal
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tests/e2e"))

from lab import Lab
from report import Report

BENCHES = {
    "cgi": "the CGI program by itself: time, CPU, page faults, memory, system calls",
    "builds": "the ways to build the CGI program: size, time",
    "stall": "behind httpd: requests that httpd holds up at their end; requests per second; zombies",
    "module": "the module's hot path: requests per second, CPU, system calls",
    "instructions": "instructions of a request inside httpd, counted by valgrind",
    "cold": "cold start: what is added when requests wait for a server's start",
    "bulk": "large bodies both ways: MB/s, CPU, memory",
    "growth": "cost as headers, apps and slow requests grow in number",
}


def arguments():
    """The command line."""
    listed = "\n".join(f"  {name:12} {text}" for name, text in BENCHES.items())
    parser = argparse.ArgumentParser(prog="bench/run", formatter_class=argparse.RawDescriptionHelpFormatter, epilog="benches:\n" + listed)
    parser.add_argument("build", help="folder where lazyscgi was configured and made")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benches to run")
    parser.add_argument("--quick", action="store_true", help="few rounds: does it work, and roughly what does it say?")
    parser.add_argument("--rounds", type=int, help="how often each candidate's turn comes")
    parser.add_argument("--seconds", type=float, help="how long a turn takes, where it takes a time")
    parser.add_argument("--beside", metavar="BUILD", action="append", default=[],
                        help="another build of lazyscgi, to compare with (benches cgi and module); several are possible")
    parser.add_argument("--out", type=pathlib.Path, help="folder for report, numbers and plots")
    options = parser.parse_args()
    wrong = [name for name in options.names if name not in BENCHES]
    if wrong:
        parser.error(f"no bench is named {wrong[0]}")
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.seconds = options.seconds or (0.5 if options.quick else 1)
    return options


def leave(number, _):
    """Leave in an orderly way, whoever is impatient: what runs is to be cleared away."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    """Run what was asked for."""
    options = arguments()
    signal.signal(signal.SIGTERM, leave)
    report = Report(options.out or pathlib.Path(options.build) / "bench")
    report.say(f"{report.results['machine']}; {options.rounds} rounds; medians, ratios with their quartiles")
    lab = Lab(options.build, options.beside)
    try:
        for name in options.names or BENCHES:
            importlib.import_module(f"bench_{name}").run(lab, options, report)
            lab.clear()  # its servers hold connections that the next might wait for
    finally:
        lab.end()
    report.say(f"\nwritten to {report.folder}")
    report.write()


main()
