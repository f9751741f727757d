"""One start, however many requests; what the start command is given."""
import os
import re
import stat as modes

import pytest

from client import Later, visit
from process import kill, stat, wait_until

ALLOWED = re.compile("PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|LAZYSCGI_SOCKET|LAZYSCGI_APP")


def dumped(app, headers=None, query=""):
    """Start the app with a command that tells what it was given."""
    app.write(start=app.dumping(), env="COLOUR=blue green")
    assert visit(app.at("/vars" + query), headers=headers).status == 200
    return app


def environment(app):
    """The environment of the start command."""
    return dict(word.split("=", 1) for word in app.dump("environ").decode("latin-1").split("\0") if word)


def status(app, name):
    """A field of the start command's /proc/self/status."""
    return re.search(rf"^{name}:\s*(\S+)", app.dump("status").decode(), re.M)[1]


def test_cold(app):
    """The first request starts the server and is served; the second finds it."""
    assert visit(app.at("/vars")).json["pid"] == visit(app.at("/vars")).json["pid"]
    assert len(app.starts()) == 1


def test_state(app):
    """The record of the start can be read by its owner, and by nobody else."""
    visit(app.at("/vars"))
    state = app.wait_outcome("up")
    assert [int(state["pid"])] == app.pids() == app.starts()
    assert int(state["session"]) == int(stat(app.pids()[0])[3])
    assert int(state["process-start"]) == int(stat(app.pids()[0])[19])
    assert re.fullmatch(r"\d+ \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", state["started"])
    assert int(state["failures"]) == 0
    assert modes.S_IMODE(os.stat(app.state_folder).st_mode) == 0o700
    with open(os.path.join(app.state_folder, ".htaccess")) as file:
        assert "Require all denied" in file.read()


def test_log(make):
    """What the server prints is in its log, appended."""
    app = make(text="")
    app.write(start=f"echo out; echo err >&2; {app.command()}")
    for count in (1, 2):
        visit(app.at("/vars"))
        app.kill()
        assert (app.log().count("out"), app.log().count("err")) == (count, count)


@pytest.mark.parametrize("requests", [2, 200])
def test_herd(make, requests):
    """All requests that find the server down wait for one start."""
    app = make("gate")
    visits = [Later(app.at("/vars")) for _ in range(requests)]
    wait_until(lambda: app.under_way() == requests, what=f"{requests} requests under way")
    app.open_gate()
    pids = [each.reply.json["pid"] for each in visits]
    assert len(pids) == requests and set(pids) == set(app.starts()) and len(app.starts()) == 1


def test_herd_with_bodies(make):
    """Bodies are held too."""
    app = make("gate")
    visits = [Later(app.at("/echo"), "POST", bytes([65 + number]) * 100_000) for number in range(20)]
    app.wait_starts()
    app.open_gate()
    assert [each.reply.body[:1] for each in visits] == [bytes([65 + number]) for number in range(20)]
    assert len(app.starts()) == 1


def test_slow(make, log):
    """A start that outlasts the patience goes on, and is not repeated."""
    app = make("gate", patience="300ms")
    plain, page = [visit(app.at("/vars"), headers={"Accept": accept}) for accept in ("*/*", "text/html,*/*;q=0.8")]
    assert (plain.status, page.status) == (503, 503)
    assert int(plain.headers["Retry-After"]) > 0 and int(page.headers["Retry-After"]) > 0
    assert plain.headers.get_content_type() == "text/plain" and "<" not in plain.text
    assert page.headers.get_content_type() == "text/html" and "refresh" in page.text.lower() + str(page.headers).lower()
    log.expect(app.complaint(), times=2)
    app.open_gate()
    app.wait_outcome("up")
    assert visit(app.at("/vars")).status == 200
    assert len(app.starts()) == 1


@pytest.mark.parametrize("which", ["requests", "helpers"])
def test_killed_in_a_start(make, log, which):
    """Whoever of lazyscgi is killed in the middle of a start, the start goes on."""
    app = make("gate")
    if which == "requests" and app.httpd.is_module:
        pytest.skip("the module has no process for each request; test_module.py kills a child of httpd")
    first = Later(app.at("/vars"))
    app.wait_starts()
    kill(getattr(app, which)())
    if not app.httpd.is_module:
        assert first.reply.status == 500
        log.expect("End of script output before headers")
    second = Later(app.at("/vars"))
    wait_until(app.under_way, what="the second request")
    app.open_gate()
    assert second.reply.json["pid"] in app.pids()
    assert len(app.starts()) == 1


def test_httpd_gives_up_in_a_start(make, log):
    """httpd that gives a request up in the middle of a start doesn't end the start."""
    app = make("gate")
    if app.httpd.is_module:
        pytest.skip("the module answers by itself, within its patience")
    assert visit(app.at("/vars", hasty=True)).status in (500, 504)
    log.expect("AH01220|AH70007|Script timed out|Timeout waiting")
    log.allow("End of script output before headers|AH01215|AH01225")
    second = Later(app.at("/vars"))
    app.open_gate()
    assert second.reply.json["pid"] in app.pids()
    assert len(app.starts()) == 1


def test_lock_deleted_in_a_start(make):
    """Who deletes the lock in the middle of a start gets no second start."""
    app = make("gate")
    first = Later(app.at("/vars"))
    app.wait_starts()
    os.unlink(app.state_path("lock"))
    second = Later(app.at("/vars"))
    wait_until(lambda: app.under_way() == 2, what="two requests under way")
    app.open_gate()
    assert first.reply.json["pid"] == second.reply.json["pid"]
    assert len(app.starts()) == 1


def test_daemon(make):
    """A start command may start the server and exit 0."""
    app = make(text="")
    app.write(start=f"({app.command()}) & exit 0")
    assert visit(app.at("/vars")).status == 200
    assert len(app.starts()) == 1


def test_environment(make):
    """The start command's environment is built from the allow list."""
    app = dumped(make(text=""))
    got = environment(app)
    assert got.pop("COLOUR") == "blue green"
    assert got["LAZYSCGI_APP"] == app.file and got["LAZYSCGI_SOCKET"] == app.state_path("sock")
    assert [name for name in got if not ALLOWED.fullmatch(name)] == []


def test_nothing_of_a_request(make):
    """Nothing of a visitor's request reaches the start command."""
    bad = "() { :;}; echo visitor"
    headers = {"Proxy": "visitor:1", "User-Agent": bad, "Cookie": bad, "Referer": bad, "LD-Preload": "visitor", "X-Path": "visitor"}
    app = dumped(make(text=""), headers, "?visitor=" + "visitor")
    assert b"visitor" not in app.dump("environ")
    assert b"HTTP_" not in app.dump("environ")


def test_hygiene(make):
    """The start command has a clean process."""
    app = dumped(make(text=""))
    links = dict(re.findall(r" (\d+) -> (.*)", app.log()))
    assert links == {"0": "/dev/null", "1": app.state_path("log"), "2": app.state_path("log")}
    libc = 7 << 31  # signals of the C library's own, which posix_spawn leaves ignored and sigaction won't touch
    assert [int(status(app, name), 16) & ~libc for name in ("SigBlk", "SigIgn")] == [0, 0]
    assert int(status(app, "Umask"), 8) & 0o022 == 0o022
    assert app.dump("cwd").decode().strip() == app.folder
    fields = app.dump("stat").rpartition(b") ")[2].split()
    assert int(fields[3]) != os.getsid(app.httpd.process.pid) and int(fields[4]) == 0


def test_limits(make):
    """Soft limits that the host lowered are raised to the hard ones."""
    app = make(text="", place="cgi-bin/limited")
    if app.httpd.is_module:
        pytest.skip("httpd limits CGI programs, not itself")
    app = dumped(app)
    rows = re.findall(r"^Max (cpu time|address space|data size|processes|file size) +(\S+) +(\S+)", app.dump("limits").decode(), re.M)
    assert len(rows) == 5
    assert [row for row in rows if row[1] != row[2]] == []
    assert ("cpu time", "200", "200") in rows
