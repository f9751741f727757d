"""How the cost of a request grows: with its headers, with the apps of one httpd, with slow requests under way."""
import time

import bench_module
from apache import Apache
from bench_cgi import Runner
from lab import SMALL, VARIABLES, cpu
from samples import Samples, interleaved
from visit import Visit

HEADERS = (10, 30, 100, 300, 1000)
APPS = (1, 10, 100, 1000)
SLOW = (1, 8, 32, 128)
SLOW_MS = 50
GENEROUS = "LimitRequestFields 0\nLimitRequestLine 8190\n"


def cost(lab, server, path, seconds, **more):
    """CPU us per request, and requests per second."""
    before = cpu(server.pids())
    visit = Visit(lab, server.at(path), seconds=seconds, **more)
    assert not visit.failures, f"{path}: {visit.failures} of {visit.count} requests failed"
    return (cpu(server.pids()) - before) / visit.count * 1e6, visit.rate


def curves_of(candidates, points, rounds, measure):
    """Name -> {point: values}, all of them interleaved."""
    curves = {name: {point: [] for point in points} for name in candidates}
    for name, point in interleaved([(name, point) for name in candidates for point in points], rounds):
        curves[name][point].append(measure(name, point))
    return curves


def headers(lab, options, report, rounds):
    """10 to 1,000 headers, and as many variables for the CGI program."""
    bench_module.prepare(lab)
    server = Apache(lab, "event", bench_module.MODULES, GENEROUS + bench_module.PLACES)
    names = ("mod_lazyscgi", "trivial handler", "mod_proxy_scgi")
    report.lines("growth-headers", "A request with more headers", "headers", "CPU us of httpd", curves_of(
        names, HEADERS, rounds,
        lambda name, count: cost(lab, server, f"{bench_module.PATHS[name]}?{SMALL}", options.seconds / 2, headers=count)[0]))
    lab.stop(server.process)
    runner = Runner(lab)
    programs = {"lazyscgi": [lab.app_file(lab.folder("apps") / "app.cgi", lab.program)],
                "cgi-fcgi": ["/usr/bin/cgi-fcgi", "-bind", "-connect", lab.backend("fastcgi")]}
    runner.warm_up(programs["lazyscgi"])

    def turn(name, count):
        samples = Samples()
        runner.turn(samples, name, programs[name], {f"HTTP_X_HEADER_{number}": "of some length" for number in range(count - len(VARIABLES) - 1)})
        return samples.median("CPU us", name)

    report.lines("growth-variables", "A CGI program with more variables", "variables", "CPU us", curves_of(programs, HEADERS[1:], rounds, turn))


def apps(lab, options, report, rounds):
    """1 to 1,000 apps, visited one after the other: as Locations, as files, and mod_proxy_scgi's."""
    folder, socket = lab.folder("many"), lab.backend("scgi")
    for number in range(APPS[-1]):
        lab.script(folder / f"app{number}.lscgi", f"socket = {socket}\n")
    handler = f'Alias /many/ "{folder}/"\n<Directory "{folder}">\nOptions ExecCGI\nAddHandler lazyscgi .lscgi\n</Directory>\n'
    servers = {}
    for count in APPS:
        places = {"LazySCGIApp in a Location": "".join(f'<Location "/app/{n}">\nLazySCGIApp "{folder}/app{n}.lscgi"\n</Location>\n' for n in range(count)),
                  "app files in a folder": handler,
                  "ProxyPass to scgi:": "".join(f'ProxyPass "/app/{n}" "unix:{socket}|scgi://host{n}"\n' for n in range(count))}
        for name, text in places.items():
            servers[name, count] = Apache(lab, "event", ["lazyscgi", "mime", "proxy", "proxy_scgi"], "TypesConfig /dev/null\n" + text)
    urls = {"LazySCGIApp in a Location": f"/app/*/x?{SMALL}", "app files in a folder": f"/many/app*.lscgi/x?{SMALL}", "ProxyPass to scgi:": f"/app/*/x?{SMALL}"}
    for (name, count), server in servers.items():
        Visit(lab, server.at(urls[name]), connections=4, count=3 * count, places=count)
    report.lines("growth-apps", "A request to one of many apps", "apps", "CPU us of httpd", curves_of(
        urls, APPS, rounds, lambda name, count: cost(lab, servers[name, count], urls[name], options.seconds / 2, places=count)[0]))
    for server in servers.values():
        lab.stop(server.process)


def slow(lab, options, report, rounds):
    """Requests whose server takes its time, up to as many as there are workers."""
    socket = lab.root / "slow.sock"
    lab.start(lab.compile("backend", "-O2"), "scgi", socket, SLOW[-1])
    lab.wait_for(socket)
    places = f'<Location "/lazyscgi">\nLazySCGI socket "{socket}"\n</Location>\nProxyPass "/proxy_scgi" "unix:{socket}|scgi://localhost"\n'
    server = Apache(lab, "event", ["lazyscgi", "proxy", "proxy_scgi"], places)
    paths = {"mod_lazyscgi": "/lazyscgi/", "mod_proxy_scgi": "/proxy_scgi/"}
    rates = {name: {count: [] for count in SLOW} for name in paths}

    def turn(name, count):
        time.sleep(4 * SLOW_MS / 1000)  # until the last turn's requests, whose visitor has gone, have ended as well
        used, rate = cost(lab, server, f"{paths[name]}?{SMALL}+{SLOW_MS}", options.seconds, connections=count)
        rates[name][count].append(rate / (count * 1000 / SLOW_MS))
        return used

    report.lines("growth-slow", f"Requests that take {SLOW_MS} ms, so many at once", "requests under way", "CPU us of httpd", curves_of(
        paths, SLOW, rounds, turn))
    report.lines("growth-slow-rate", "Their rate", "requests under way", "part of the rate that is possible", rates)


def run(lab, options, report):
    """One after the other."""
    rounds = max(3, options.rounds // 2)
    headers(lab, options, report, rounds)
    apps(lab, options, report, rounds)
    slow(lab, options, report, rounds)
