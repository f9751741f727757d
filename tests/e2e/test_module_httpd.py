"""The module and httpd's processes: crashes, reloads, waiting, what admins see, the CGI program beside it."""
import os
import re
import shutil
import threading
import time

import pytest

from client import Later, visit
from process import kill, running, wait_until, with_variable
from test_module_config import mounted


EACH_MPM = pytest.mark.parametrize("site", ["module-event", "module-prefork", "module-worker"], indirect=True)


def rows(site):
    """The apps as mod_status shows them for machines: a list of what each has."""
    found = {}
    for key, value in site.httpd.status().items():
        match = re.fullmatch(r"LazySCGI\[(\d+)\](\w+)", key)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = value
    return [found[number] for number in sorted(found)]


@EACH_MPM
def test_child_crashes_in_a_start(site):
    """A crash of the child whose request triggered it leaves a start unharmed."""
    app = site.app(options="gate")
    site.start(mounted(app, "/one"))
    first = Later(site.at("/one/vars"))
    app.wait_starts()
    children = site.children()
    kill(children)
    with pytest.raises(OSError):
        first.reply
    wait_until(lambda: set(site.children()) - set(children), what="a new child")
    second = Later(site.at("/one/vars"))
    wait_until(app.under_way, what="the second request")
    app.open_gate()
    assert second.reply.json["pid"] == app.starts()[0] and len(app.starts()) == 1
    wait_until(lambda: rows(site)[0]["Waiting"] == "0", what="the end of the dead child's count")
    site.expect("exit signal Killed")


@EACH_MPM
def test_starter_killed(site):
    """The starter, too, may be killed; the request goes on waiting for the same start."""
    app = site.app(options="gate")
    site.start(mounted(app, "/one"))
    first = Later(site.at("/one/vars"))
    app.wait_starts()
    wait_until(app.helpers, what="the starter")
    kill(app.helpers())
    app.open_gate()
    assert first.reply.json["pid"] == app.starts()[0] and len(app.starts()) == 1


@EACH_MPM
def test_reload_in_a_start(site):
    """A graceful restart waits for those who wait, and leaves the server as it is."""
    app = site.app(options="gate")
    site.start(mounted(app, "/one"))
    first = Later(site.at("/one/vars"))
    wait_until(app.under_way, what="the request")
    old = set(site.children())
    site.httpd.reload()
    wait_until(lambda: set(site.children()) - old, what="new children")
    second = Later(site.at("/one/vars"))
    wait_until(lambda: app.under_way() == 2, what="both requests")
    app.open_gate()
    assert first.reply.json["pid"] == second.reply.json["pid"] == app.starts()[0]
    wait_until(lambda: not old & set(site.children()), what="the end of the old children")
    assert visit(site.at("/one/vars")).json["pid"] == app.starts()[0] and len(app.starts()) == 1


def links(pid):
    """What the descriptors of a process are."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


@EACH_MPM
def test_nothing_is_inherited(site):
    """Neither the starter nor the server has a descriptor of httpd's; nor does httpd have theirs."""
    app = site.app(options="gate")
    site.start(mounted(app, "/one"))
    first = Later(site.at("/one/vars"))
    pid = app.wait_starts()[0]
    starter = wait_until(app.helpers, what="the starter")[0]
    ours = links(starter)
    assert all(target == "/dev/null" for number, target in ours.items() if number < 3)
    others = [target for number, target in ours.items() if number > 2]
    state = app.state_folder
    assert len([target for target in others if target.startswith("socket:")]) == 1  # to the request that leads
    assert all(target.startswith(("socket:", state)) or target == app.file for target in others)  # which has its mark
    assert {target for target in links(pid).values()} <= {"/dev/null", app.state_path("log")}
    app.open_gate()
    assert first.reply.status == 200


def descriptors(pids):
    """How many descriptors processes have, less those of visitors' connections."""
    return [len(links(pid)) for pid in pids]


@pytest.mark.parametrize("site", ["module-event"], indirect=True)
def test_reload_loop(site):
    """50 graceful restarts under load lose no request and leak no descriptor."""
    app = site.app()
    site.httpd.limits = "StartServers 1\nServerLimit 16\nThreadsPerChild 8\nMaxRequestWorkers 64\nMinSpareThreads 8\nMaxSpareThreads 64"
    site.start(mounted(app, "/one"))
    visit(site.at("/one/vars"))
    before = descriptors([site.httpd.process.pid])
    failures, served, over = [], [0], threading.Event()

    def load():
        while not over.is_set():
            try:
                reply = visit(site.at("/one/vars"))
                served[0] += 1
                if reply.status != 200:
                    failures.append(reply.text)
            except Exception as error:
                failures.append(repr(error))

    visitors = [threading.Thread(target=load) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    for _ in range(50):
        resumed = site.httpd.log().count("AH00489")
        site.httpd.reload()
        wait_until(lambda: site.httpd.log().count("AH00489") > resumed, what="the reload")
    over.set()
    for visitor in visitors:
        visitor.join()
    assert failures == [] and served[0] > 50
    assert len(app.starts()) == 1
    assert descriptors([site.httpd.process.pid]) == before
    assert int(rows(site)[0]["Requests"]) == served[0] + 1


@EACH_MPM
def test_waiters(site):
    """As many requests as may wait for a slow start; those beyond are told to come back, at once, and other work goes on."""
    app = site.app(options="gate")
    site.httpd.waiters = 3
    site.start(mounted(app, "/one"))
    held = []
    for number in range(3):
        held.append(Later(site.at("/one/vars")))
        wait_until(lambda: app.under_way() == number + 1, what="a request that waits")
    begin = time.monotonic()
    reply = visit(site.at("/one/vars"))
    assert reply.status == 503 and int(reply.headers["Retry-After"]) > 0
    assert time.monotonic() - begin < 5  # far less than patience: it is not held
    assert app.under_way() == 3
    app.open_gate()
    assert {each.reply.status for each in held} == {200}
    assert visit(site.at("/one/vars")).status == 200 and len(app.starts()) == 1


def test_status(site):
    """mod_status shows the apps."""
    good, bad = site.app("good"), site.app("bad", start="exit 3")
    site.start(mounted(good, "/good") + mounted(bad, "/bad"))
    for _ in range(3):
        assert visit(site.at("/good/vars")).status == 200
    assert visit(site.at("/bad")).status == 503
    assert visit(site.at("/bad")).status == 503
    assert visit(site.at("/good/canned/garbage")).status == 502
    shown = {row["App"]: row for row in rows(site)}
    assert shown[good.file] == {"App": good.file, "Server": "up", "Waiting": "0", "Starts": "1", "FailedStarts": "0", "Failures": "1", "Requests": "3"}
    assert shown[bad.file] == {"App": bad.file, "Server": "down", "Waiting": "0", "Starts": "1", "FailedStarts": "1", "Failures": "2", "Requests": "0"}
    page = visit(site.at("/server-status")).text
    assert "<h2>LazySCGI</h2>" in page and f"<td>{good.file}</td><td>up</td>" in page
    site.expect("exited with status 3|is not a CGI response")


def test_log_lines(site):
    """A start, its outcome and duration, in httpd's format."""
    app = site.app()
    site.start(mounted(app, "/one"))
    visit(site.at("/one/vars"))
    app.wait_outcome("up")
    app.touch()
    visit(site.at("/one/vars"))
    lines = [line for line in site.httpd.log().splitlines() if "lazyscgi:" in line]
    wanted = ["no server listens, so one is started at ", r"the server listens after \d+ ms", "it was touched, so the server is restarted at ",
              r"the server listens after \d+ ms"]
    assert len(lines) == len(wanted)
    for line, pattern in zip(lines, wanted):
        assert re.search(rf"\[lazyscgi:notice\] .*lazyscgi: {re.escape(app.file)}: {pattern}", line)


@pytest.mark.parametrize("site", ["module-event", "module-prefork"], indirect=True)
def test_beside_the_cgi_program(site):
    """One app served by the module and by the CGI program at once has one lock, one state, one server."""
    program = os.path.join(site.root, "lazyscgi")
    shutil.copy(os.environ.get("LAZYSCGI", "cgi/lazyscgi"), program)
    os.chmod(program, 0o755)
    app = site.app("app", url="/both/app/app.cgi", write=False, place="both")
    app.binary = program
    app.write(start=app.command("gate"))
    runner = "cgid" if site.httpd.mpm == "event" else "cgi"
    more = f'ScriptSock "{site.root}/run/cgid.sock"\n' if runner == "cgid" else ""
    site.start(site.load(runner) + more + f'ScriptAlias /cgi/ "{app.folder}/"\nAlias /module/ "{app.folder}/"\n'
               '<Location "/module/">\nOptions +ExecCGI\nSetHandler lazyscgi\n</Location>\n')
    visits = [Later(site.at(f"/{front}/app.cgi/vars")) for front in ("cgi", "module") * 10]
    wait_until(lambda: app.under_way() == 10, what="10 requests in the module")
    wait_until(lambda: len(with_variable("SCRIPT_FILENAME", app.script, running(site.root))) >= 10, what="10 CGI processes")
    app.open_gate()
    assert {each.reply.json["pid"] for each in visits} == set(app.starts()) and len(app.starts()) == 1
    app.kill()
    visits = [Later(site.at(f"/{front}/app.cgi/vars")) for front in ("cgi", "module") * 10]
    assert len({each.reply.json["pid"] for each in visits}) == 1 and len(app.starts()) == 2
