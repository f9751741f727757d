"""Instructions of a request in httpd's own code, without the kernel's: the same on a busy machine as on an idle one."""
import re
import subprocess
import time

import bench_module
import httpd
from apache import Apache
from lab import SMALL
from visit import Visit

COUNTS = (50, 550)
END_S = 0.5  # until the last request is logged
SHOWN = ("ap_process_async_request", "lazy_visit_handle", "lazy_head_encode", "lazy_reply_pass", "lazy_apps_get", "proxy_run_scheme_handler",
         "ap_add_common_vars", "ap_add_cgi_vars", "ap_read_request")


def counted(lab, path, count, build):
    """All instructions of an httpd that serves so many requests, and those below each function."""
    output = lab.folder("callgrind") / "none"
    while not output.exists() or output.stat().st_size == 0:  # httpd may die of the signal that should end it: then again
        server = Apache(lab, "event", bench_module.MODULES, bench_module.PLACES, build=build, single=True, user=httpd.user().pw_name,
                        before=("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={lab.root}/callgrind/%p"))
        output = lab.root / f"callgrind/{server.process.pid}"  # mod_fcgid's process writes one as well
        Visit(lab, server.at(f"{path}?{SMALL}"), count=count)
        time.sleep(END_S)
        lab.stop(server.process)
    words = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", output]
    text = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    below = {}
    for number, name in re.findall(r"^ *([\d,]+) .*?:(\w+)(?:'\d+)?(?: \[|$)", text, re.M):
        below[name] = max(below.get(name, 0), int(number.replace(",", "")))
    return int(re.search(r"([\d,]+) .*PROGRAM TOTALS", text)[1].replace(",", "")), below


def run(lab, options, report):
    """The difference of two runs is free of start and end."""
    bench_module.prepare(lab)
    report.say("\nInstructions of one request in httpd's process, and below some functions")
    results = {}
    for build in (lab.build, *lab.others):
        for name, path in bench_module.PATHS.items() if build == lab.build else [("mod_lazyscgi", bench_module.PATHS["mod_lazyscgi"])]:
            (few, few_below), (many, below) = (counted(lab, path, count, build) for count in COUNTS)
            requests = COUNTS[1] - COUNTS[0]
            parts = {part: (below[part] - few_below.get(part, 0)) // requests for part in SHOWN if part in below}
            label = name if build == lab.build else f"{name} of {build.name}"
            results[label] = {"all": (many - few) // requests, **parts}
            report.say(f"  {label:32} {(many - few) // requests:>7}   " + ", ".join(f"{part} {number}" for part, number in parts.items() if number))
    report.keep("instructions", results)
