"""Every failure has its status, a plain page, and one line for the owner."""
import os
import signal
import socket
import subprocess
import sys

import pytest

from app import SERVER
from client import Later, visit
from conftest import needs_root
from httpd import give
from process import kill, wait_until

FAILING = "echo $$ >> {0}/starts; if test -e {0}/broken; then echo broken by the owner >&2; exit 3; fi; {1}"
BETRAYALS = ("/tmp", "exit", "broken", "python", "sock", "lazyscgi-")


def fails(app, log, status, path="/vars", **request):
    """A request fails with a status, one line for the owner, and a page that betrays nothing."""
    reply = visit(app.at(path), **request)
    assert reply.status == status, reply.text
    assert not [word for word in (app.folder, *BETRAYALS) if word in reply.text]
    log.expect(app.complaint())
    return reply


@pytest.fixture
def failing(make):
    """An app whose start command fails while the file `broken` exists."""
    app = make(text="")
    app.make("broken")
    return app.write(start=FAILING.format(app.folder, app.command()))


def retry_after(reply):
    """The seconds of Retry-After."""
    return int(reply.headers["Retry-After"])


def test_start_fails(failing, log):
    """A failed start is a 503, and isn't repeated by requests that come at once."""
    assert retry_after(fails(failing, log, 503)) >= 1
    state = failing.wait_outcome("failed")
    assert (state["exit-status"], state["failures"]) == ("3", "1")
    assert "broken by the owner" in failing.log()
    replies = [Later(failing.at("/vars")) for _ in range(20)]
    assert {each.reply.status for each in replies} == {503}
    assert len(failing.starts()) == 1


def test_start_fails_for_a_herd(failing, log):
    """Requests that wait for a start that fails all fail with it."""
    visits = [Later(failing.at("/vars")) for _ in range(30)]
    assert {each.reply.status for each in visits} == {503}
    log.expect(failing.complaint())
    assert len(failing.starts()) == 1


def test_touch_clears_failures(failing, log):
    """Touching the app file makes the next start due at once."""
    fails(failing, log, 503)
    os.unlink(os.path.join(failing.folder, "broken"))
    assert visit(failing.at("/vars")).status == 503
    failing.touch()
    assert visit(failing.at("/vars")).status == 200
    assert int(failing.wait_outcome("up")["failures"]) == 0


def seconds(state, key):
    """A time of the record."""
    return int(state[key].split()[0])


def test_back_off_grows(failing, log):
    """The second failure in a row is followed by a longer pause, and a success ends it."""
    fails(failing, log, 503)
    first = failing.wait_outcome("failed")
    wait_until(lambda: visit(failing.at("/vars")).status and len(failing.starts()) > 1, what="a second start")
    second = wait_until(lambda: failing.state() if failing.state().get("failures") == "2" else None)
    pauses = [seconds(state, "next-start") - seconds(state, "ended") for state in (first, second)]
    assert pauses == [2, 3]  # 1 and 2 s, rounded up to the clock's seconds
    os.unlink(os.path.join(failing.folder, "broken"))
    wait_until(lambda: visit(failing.at("/vars")).status == 200, what="recovery")
    assert int(failing.wait_outcome("up")["failures"]) == 0


@pytest.mark.parametrize("command", ["kill -9 $$", "/nonexistent/program", "exit 0", "sleep 60"])
def test_kinds_of_failed_start(make, log, command):
    """A signal, a missing program, an end without a server, and a start that takes too long."""
    app = make(start=command, start_timeout="700ms", patience="20s")
    assert retry_after(fails(app, log, 503)) >= 1
    state = app.wait_outcome("failed")
    if "kill" in command:
        assert state["signal"].startswith("9")
    if "nonexistent" in command:
        assert state["exit-status"] == "127"
    wait_until(lambda: not app.pids(), what="the end of a start that failed")


def test_silent(make, log):
    """A server that is silent for the response timeout is a 504, and keeps running."""
    app = make(response_timeout="1s")
    fails(app, log, 504, "/hang")
    fails(app, log, 504, "/hang", method="POST", body=b"x" * 1000)
    app.wait_note("gone hang")
    assert visit(app.at("/vars")).json["pid"] == app.starts()[0]


def fill(address):
    """Connect until a Unix listener's queue is full."""
    taken = []
    try:
        while True:
            taken.append(socket.socket(socket.AF_UNIX))
            taken[-1].setblocking(False)
            taken[-1].connect(address)
    except BlockingIOError:
        return taken


def test_full_queue(make, log):
    """A queue that stays full is a 503 after the patience, and no reason to start."""
    app = make("backlog=1", patience="1s")
    visit(app.at("/vars"))
    kill(app.pids(), signal.SIGSTOP)
    taken = fill(app.state_path("sock"))
    assert retry_after(fails(app, log, 503)) >= 1
    assert len(app.starts()) == 1
    kill(app.pids(), signal.SIGCONT)
    for sock in taken:
        sock.close()
    assert visit(app.at("/vars")).json["pid"] == app.starts()[0]


@pytest.mark.parametrize("address", ["./gone.sock", "127.0.0.1:1"])
def test_forward_only(make, log, address):
    """Without a start command a server that is down is a 502."""
    app = make(server=None, socket=address)
    assert "Retry-After" not in fails(app, log, 502).headers


@pytest.mark.parametrize("path", ["/canned/garbage", "/canned/endless"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_not_cgi(app, log, path, method):
    """A reply that is no CGI response is a 502."""
    fails(app, log, 502, path, method=method, body=b"x" if method == "POST" else None)


def test_one_line(app, log):
    """A failure has exactly one line."""
    fails(app, log, 502, "/canned/garbage")
    log.expect(app.complaint(), times=1)


@needs_root
def test_not_allowed(make, log):
    """A socket that may not be reached is a 502, and no reason to start."""
    app = make(text="")
    shut = os.path.join(app.folder, "shut")
    os.mkdir(shut, 0o700)
    app.write(start=app.command(), socket=f"{shut}/x.sock")
    fails(app, log, 502)
    assert app.starts() == []


def serve_as(app, user, address):
    """Run our server as another user, outside lazyscgi."""
    place = os.path.join(app.folder, "foreign")
    os.mkdir(place)
    os.chmod(place, 0o777)
    process = subprocess.Popen([sys.executable, "-SE", SERVER, place], user=user, umask=0, env={"LAZYSCGI_SOCKET": address})
    with socket.socket(socket.AF_UNIX) as sock:
        wait_until(lambda: sock.connect_ex(address) == 0, what="the foreign server")
    return process


@needs_root
@pytest.mark.parametrize("user, status", [("nobody", 502), ("root", 200)])
def test_foreign_server(make, log, user, status):
    """A server of another user is refused, except root's."""
    app = make(text="")
    address = os.path.join(app.folder, "foreign", "x.sock")
    app.write(start=app.command(), socket=address)
    process = serve_as(app, user, address)
    try:
        if status == 502:
            fails(app, log, 502)
        else:
            assert visit(app.at("/vars")).status == 200
        assert app.starts() == []
    finally:
        process.kill()
        process.wait()


def test_read_only_folder(make, log):
    """A state folder that can't be made is a 500."""
    app = make()
    if os.geteuid() == 0:
        os.chown(app.folder, 0, 0)
    os.chmod(app.folder, 0o555)
    fails(app, log, 500)
    os.chmod(app.folder, 0o755)
    assert app.starts() == []
    give(app.folder)


@pytest.mark.parametrize("kind", ["symlink", "file", "open"])
def test_odd_state_folder(make, log, kind):
    """A state folder that is a link, a file, or open to others is a 500."""
    app = make()
    if kind == "symlink":
        os.mkdir(app.folder + "/elsewhere", 0o700)
        give(app.folder + "/elsewhere")
        os.symlink("elsewhere", app.state_folder)
    elif kind == "file":
        app.make(os.path.basename(app.state_folder))
    else:
        os.chmod(app.make_state_folder(), 0o777)
    fails(app, log, 500)
    assert app.starts() == []


@needs_root
def test_foreign_state_folder(make, log):
    """A state folder that belongs to somebody else is a 500."""
    app = make()
    os.chown(app.make_state_folder(), 65534, 65534)
    fails(app, log, 500)
    assert app.starts() == []


def test_lock_is_a_link(make, log):
    """A lock that is a link is a 500, and what it points to stays."""
    app = make()
    app.make_state_folder()
    os.symlink(app.make("precious", "x"), app.state_path("lock"))
    fails(app, log, 500)
    assert app.starts() == []
