#!/usr/bin/env python3
"""The keys of the app file are the same in the code, in its manual page and in the README."""
import os
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
program = os.environ.get("LAZYSCGI", "cgi/lazyscgi")


def keys_of_code():
    environment = {k: v for k, v in os.environ.items() if k != "GATEWAY_INTERFACE"}
    table = subprocess.run([program, "--keys"], env=environment, stdout=subprocess.PIPE, check=True,
                           universal_newlines=True).stdout
    rows = [line.split("\t") for line in table.splitlines()]
    for row in rows:
        if len(row) != 3 or not all(cell.strip() for cell in row):
            sys.exit(f"FAILED - `lazyscgi --keys` prints a row that isn't name, default, meaning: {row}")
    return [row[0] for row in rows]


def keys_of_manual():
    return re.findall(r"^\.It Ic ([a-z-]+)", (root / "core/lazyscgi-app.5").read_text(), re.M)


def keys_of_readme():
    return re.findall(r"^\| *`([a-z-]+)` *\|", (root / "README.md").read_text(), re.M)


failed = False


def check(what, good, why=""):
    global failed
    print(f"{'ok' if good else 'FAILED'} - {what}{'' if good else ': ' + why}")
    failed = failed or not good


code = keys_of_code()
check("the code has keys, each once", code and len(set(code)) == len(code), f"{code}")
for where, keys in (("core/lazyscgi-app.5", keys_of_manual()), ("README.md", keys_of_readme())):
    missing = [key for key in code if key not in keys]
    extra = [key for key in keys if key not in code]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    check(f"{where} has the keys of the code", not (missing or extra or twice),
          f"missing {missing}, unknown {extra}, twice {twice}")
sys.exit(failed)
