"""The ways to build the CGI program: size and time of each."""
import subprocess

from bench_cgi import FLOOR, Runner, programs
from samples import Samples, interleaved

MUSL, GLIBC = ("musl-gcc",), ("gcc",)
SECTIONS = ["-ffunction-sections", "-fdata-sections"]
STATIC = ["-static", "-s", "-Wl,--gc-sections"]


def choices(lab):
    """Name -> compiler, flags."""
    usual = lab.make_setting("STATIC_CFLAGS") + lab.make_setting("STATIC_LDFLAGS")
    fork = [flag for flag in usual if flag.startswith("-DHAVE_")]
    return {
        "as configured": (lab.make_setting("STATIC_CC") or MUSL, usual),
        "musl -Os": (MUSL, ["-Os", *SECTIONS, *STATIC, *fork]),
        "musl -O2": (MUSL, ["-O2", *SECTIONS, *STATIC, *fork]),
        "musl -O2 -flto": (MUSL, ["-O2", "-flto", *SECTIONS, *STATIC, *fork]),
        "musl -Os -static-pie": (MUSL, ["-Os", "-fPIE", *SECTIONS, "-static-pie", "-s", "-Wl,--gc-sections", *fork]),
        "glibc -Os -static": (GLIBC, ["-Os", *SECTIONS, *STATIC]),
        "glibc -O2, dynamic": (GLIBC, ["-O2", *SECTIONS, "-s", "-Wl,--gc-sections"]),
    }


def build(lab, name, compiler, flags):
    """A program built so, None if this machine can't."""
    source, program = lab.source(), lab.root / f"lazyscgi-{name.replace(' ', '')}"
    files = sorted([*source.glob("core/*.c"), *source.glob("cgi/*.c")])
    words = [*compiler, f"-I{source}", "-D_GNU_SOURCE", '-DLAZYSCGI_VERSION="bench"', "-std=c11", *flags, "-o", program, *files]
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True)
    return program if done.returncode == 0 else None


def run(lab, options, report):
    """A table of sizes and times."""
    runner, samples, candidates = Runner(lab), Samples(), {FLOOR: programs(lab)[FLOOR]}
    for name, (compiler, flags) in choices(lab).items():
        program = build(lab, name, compiler, flags)
        if program is None:
            report.say(f"{name}: can't be built here")
            continue
        candidates[name] = [lab.app_file(lab.folder("apps") / f"{program.name}.cgi", program)]
        runner.warm_up(candidates[name])
        samples.add(name, size_bytes=program.stat().st_size)
    samples.add(FLOOR, size_bytes=candidates[FLOOR][0].stat().st_size)
    for name in interleaved(candidates, options.rounds * 2):
        runner.turn(samples, name, candidates[name])
    for name in candidates:
        runner.memory(samples, name, candidates[name])
    report.table("builds", "Ways to build the CGI program", samples, "as configured", ["wall us", "quick tenth us", "CPU us"])
    report.table("builds", "Their size", samples, None, ["size bytes", "page faults", "resident KiB", "private KiB"])
