#!/usr/bin/env python3
"""Who may include and call what: core knows neither its fronts nor the process it runs in."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]

# What a reader of core/ may rely on: the C library.  <netdb.h> is spelled out like any other.
LIBC = re.compile(r"(?:arpa|net|netinet|sys|linux)/[a-z_0-9]+\.h|[a-z_0-9]+\.h")
FOREIGN = re.compile(r"^(apr|ap_|http|httpd|util_|mod_|check|config)")

failed = False


def check(what, faults):
    global failed
    print(f"{'FAILED' if faults else 'ok'} - {what}")
    for fault in faults:
        print(f"    {fault}")
    failed = failed or bool(faults)


def bare(text):
    """The code without comments, and with strings and character constants emptied."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group()
        return "\n" * found.count("\n") if found.startswith("/") else found[0] * 2
    return token.sub(blank, text)


def sources(folder):
    return sorted(p for p in (root / folder).glob("*.[ch]"))


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def calls(paths, pattern):
    called = re.compile(r"(?<![\w.>])(?:" + pattern + r")\s*\(")
    for path in paths:
        for number, line in enumerate(bare(path.read_text()).splitlines(), 1):
            match = called.search(line)
            if match:
                yield f"{path.relative_to(root)}:{number}: {line.strip()}"


def foreign_includes(folder, own):
    for path in sources(folder):
        for number, system, name in includes(path):
            if system:
                good = LIBC.fullmatch(name) and not FOREIGN.match(name)
            else:
                near = path.parent / name
                if not near.is_file():
                    near = root / name
                good = near.is_file() and near.resolve().parent.name in own
            if not good:
                yield f"{path.relative_to(root)}:{number}: includes {name}"


core = sources("core")
code = core + sources("cgi") + sources("mod_lazyscgi")
core_c = [p for p in core if p.suffix == ".c"]

check("core/ and cgi/ have sources", [] if core_c and sources("cgi") else ["nothing found"])
check("core/ includes libc and core/ only", list(foreign_includes("core", {"core"})))
check("cgi/ includes libc, core/ and cgi/ only", list(foreign_includes("cgi", {"core", "cgi"})))
check("cgi/ includes core/", [] if any(
    not system and (root / name).parent.name == "core"
    for path in sources("cgi") for _, system, name in includes(path)) else ["no core header"])
module = sources("mod_lazyscgi")
module_c = [p for p in module if p.suffix == ".c"]


def first_include(path):
    return next((name for _, _, name in includes(path)), None)


def order_of_includes(path):
    """httpd's headers, then ours: httpd's redefine what others rely on."""
    own = [not system for _, system, name in includes(path) if not system or name.startswith(("http", "ap", "util_", "mod_", "unixd"))]
    return own == sorted(own)


check("mod_lazyscgi/ has sources", [] if module_c else ["nothing found"])
check("mod_lazyscgi/*.c include httpd first, then core/ and mod_lazyscgi/ only",
      [f"{p.relative_to(root)}" for p in module_c if first_include(p) != "httpd.h" or not order_of_includes(p)]
      + [f"{p.relative_to(root)}:{number}: includes {name}" for p in module for number, system, name in includes(p)
         if (not system and not (p.parent / name).is_file() and not (root / name).is_file())
         or name.startswith(("config.h", "cgi/"))])
check("mod_lazyscgi/ calls no socket",
      list(calls(module, "socket|socketpair|connect|accept4?|listen|bind|send|sendto|sendmsg|recv|recvfrom|recvmsg")))
check("core/ prints nothing", list(calls(core, "v?f?printf|v?dprintf|f?puts|f?putc|putchar|perror|"
                                               "fwrite|v?syslog")))
check("core/ reads no environment", list(calls(core, "(?:secure_)?getenv|setenv|putenv|unsetenv")))
check("core/ never exits", list(calls(core, "exit|abort|quick_exit|err|errx")))
check("only core/spawn.c and core/starter.c call _exit",
      list(calls([p for p in core if p.name not in ("spawn.c", "starter.c")], "_exit|_Exit")))
check("only core/spawn.c forks, and cgi/linger.c, for a process that only waits",
      list(calls([p for p in code if p not in (root / "core/spawn.c", root / "cgi/linger.c")],
                 "_?v?[fF]ork|FORK|clone|posix_spawnp?|system|popen|daemon")))
check("every core/*.c has its header",
      [f"{p.relative_to(root)} has none" for p in core_c if not p.with_suffix(".h").is_file()])
check("the files of core/ have their unit tests",
      [f"tests/unit/test_{p.stem}.c is missing" for p in core_c
       if not (root / f"tests/unit/test_{p.stem}.c").is_file()])
sys.exit(failed)
