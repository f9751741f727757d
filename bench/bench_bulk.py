"""Large bodies, both ways."""
import os
import resource
import subprocess
import time

import bench_module
import bench_stall
import httpd
from apache import Apache
from lab import VARIABLES
from nginx import SCGI, Nginx
from samples import Samples, interleaved
from transfer import PIECE, download, measured, upload

REFERENCE = "mod_proxy_scgi"
METRICS = ["MB per s", "CPU s"]
# scgi_request_buffering off would announce the bytes at hand as the whole body (nginx 1.22), so it spools bodies
STREAMING = SCGI.replace("scgi_pass", "scgi_buffering off;\n    scgi_pass")


def candidates(lab):
    """Name -> (server, path, the CGI program on the way)."""
    bench_module.prepare(lab)
    files = bench_stall.scripts(lab)
    server = Apache(lab, "event", bench_module.MODULES, bench_module.PLACES)
    cgi = {f"mod_{module}": Apache(lab, mpm, [module], bench_stall.places_for(module)) for mpm, module in (("event", "cgid"), ("prefork", "cgi"))}
    forwarders = {"lazyscgi": lab.program, "cgi-fcgi": "/usr/bin/cgi-fcgi"}
    return {
        REFERENCE: (server, "/proxy_scgi/", []), "mod_lazyscgi": (server, "/app/", []), "mod_proxy_fcgi": (server, "/proxy_fcgi/", []),
        "mod_fcgid": (server, "/fcgid/app", []), "nginx scgi_pass": (Nginx(lab, STREAMING), "/scgi/", []),
        **{f"{module}: {name}": (cgi[module], f"/cgi/{files[name].name}", [program]) for module in cgi for name, program in forwarders.items()},
    }


def direct(samples, name, words, size, body):
    """The CGI program by itself, from a file to a pipe."""
    environment = {**VARIABLES, "SCRIPT_FILENAME": str(words[0]), "QUERY_STRING": str(5 if body else size)}
    if body:
        environment |= {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(size)}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(body or os.devnull, "rb") as file:
        process = subprocess.Popen(list(map(str, words)), env=environment, stdin=file, stdout=subprocess.PIPE,
                                   user=httpd.user().pw_name if httpd.ROOT else None)
        with process.stdout as output:
            buffer, got = bytearray(PIECE), 0
            while count := output.readinto(buffer):
                got += count
        process.wait()
    assert got > (0 if body else size), f"{name}: {got} bytes"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    samples.add(name, MB_per_s=size / (time.monotonic() - begin) / 1e6, CPU_s=used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime)


def run(lab, options, report):
    """A table for each way."""
    size = (64 if options.quick else 1024) << 20
    rounds = max(3, options.rounds // 3)
    body = lab.script(lab.root / "body", "")
    os.truncate(body, size)
    servers = candidates(lab)
    programs = {"lazyscgi": [lab.app_file(lab.folder("apps") / "app.cgi", lab.program)],
                "cgi-fcgi": ["/usr/bin/cgi-fcgi", "-bind", "-connect", lab.backend("fastcgi")]}
    for server, path, _ in servers.values():
        download(server.at(path), 5)
    direct(Samples(), "lazyscgi", programs["lazyscgi"], 5, None)
    for title, file in (("down", None), ("up", body)):
        samples = Samples()
        for name in interleaved(servers, rounds):
            server, path, files = servers[name]
            measured(samples, name, size, server.pids(), files,
                     lambda: upload(server.at(path), size, file) if file else download(server.at(path), size))
        report.table(f"bulk {title}", f"{size >> 20} MiB {title}, {rounds} rounds", samples, REFERENCE, METRICS, ["peak MiB"])
        report.bars(f"bulk-{title}", f"{size >> 20} MiB {title}", samples, "MB per s")
        samples = Samples()
        for name in interleaved(programs, rounds):
            direct(samples, name, programs[name], size, file)
        report.table(f"bulk {title}, program", f"{size >> 20} MiB {title}, the CGI program by itself", samples, "cgi-fcgi", METRICS)
