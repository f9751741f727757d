"""A server that was killed, touched or that breaks off is back with the next request."""
import os
import re
import signal
import socket

import pytest

from client import Later, asking, visit
from httpd import free_port, give
from process import alive, kill, wait_until

MANY = 9


def pid_of(app):
    """The pid of the server that answers."""
    reply = visit(app.at("/vars"))
    assert reply.status == 200, reply.text
    return reply.json["pid"]


@pytest.mark.parametrize("address", ["unix", "tcp"])
def test_killed(make, address):
    """A server killed by -9 is started by the next request."""
    app = make(socket=f"127.0.0.1:{free_port()}" if address == "tcp" else None)
    for count in range(1, 4):
        pid = pid_of(app)
        assert app.starts()[-1] == pid and len(app.starts()) == count
        app.kill()


def test_herd_at_a_killed_server(make):
    """Many requests at a server that was killed start it once."""
    app = make()
    pid_of(app)
    app.kill()
    visits = [Later(app.at("/vars")) for _ in range(50)]
    assert {each.reply.json["pid"] for each in visits} == {app.starts()[-1]}
    assert len(app.starts()) == 2


def test_killed_while_answering(app, log):
    """A reply that was cut isn't sent again, and the next request is served."""
    with asking(app.at("/sse")) as response:
        assert response.readline() == b"data: tick\n"
        app.kill()
        assert not response.read().strip(b"data: tick\n")
    log.allow(app.complaint())
    assert pid_of(app) == app.starts()[1] and len(app.starts()) == 2


@pytest.mark.parametrize("strict", ["", "strict"])
def test_leftover_socket(make, strict):
    """A leftover socket file is no obstacle, even for a server that refuses to start over one."""
    app = make(strict)
    app.make_state_folder()
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(app.state_path("sock"))
    give(app.state_path("sock"))
    assert pid_of(app) == app.starts()[0]
    app.kill()
    assert pid_of(app) == app.starts()[1]


def test_state_of_an_earlier_boot(make):
    """A record whose process is gone, or is another one now, is no obstacle."""
    app = make()
    pid_of(app)
    app.wait_outcome("up")
    app.kill()
    with open(app.state_path("state")) as file:
        text = file.read()
    text = re.sub(r"(?m)^pid = .*", f"pid = {app.httpd.process.pid}", text)
    for outcome in ("up", "starting"):
        app.kill()
        with open(app.state_path("state"), "w") as file:
            file.write(re.sub(r"(?m)^outcome = .*", f"outcome = {outcome}", text))
        assert pid_of(app) == app.starts()[-1]
    assert len(app.starts()) == 3
    assert app.httpd.process.poll() is None


def test_damaged_state(make):
    """A damaged record is no obstacle."""
    app = make()
    app.make_state_folder()
    with open(app.state_path("state"), "wb") as file:
        file.write(b"outcome = up\0\xff\npid = -1\nsession\nnext-start = 99999999999999999999\n")
    give(app.state_path("state"))
    assert pid_of(app) == app.starts()[0]


@pytest.mark.parametrize("form", ["exec {}", "({}) & exit 0", "{}; true"], ids=["itself", "daemon", "child"])
def test_touched(make, form):
    """Touching the app file restarts the server at the next request, however it was started."""
    app = make(text="")
    app.write(start=form.format(app.command().replace("exec ", "", 1)))
    old = pid_of(app)
    app.wait_outcome("up")
    app.touch()
    new = pid_of(app)
    assert new != old and app.starts() == [old, new]
    wait_until(lambda: not alive(old), what="the end of the old server")
    assert pid_of(app) == new


def test_replaced(make):
    """Replacing the app file does, too, and the new one counts."""
    app = make(env="COLOUR=red")
    old = pid_of(app)
    app.wait_outcome("up")
    os.unlink(app.file)
    app.write(start=app.command(), env="COLOUR=blue")
    assert pid_of(app) != old
    with open(f"/proc/{app.starts()[1]}/environ") as file:
        assert "COLOUR=blue" in file.read()


def test_herd_at_a_touched_file(app):
    """Many requests after a touch restart it once, and each is served by the new one or the old one."""
    old = pid_of(app)
    app.wait_outcome("up")
    app.touch()
    visits = [Later(app.at("/vars")) for _ in range(50)]
    assert {each.reply.json["pid"] for each in visits} <= set(app.starts())
    assert len(app.starts()) == 2 and pid_of(app) != old


@pytest.mark.parametrize("httpd", ["event"], indirect=True, scope="session")
def test_touched_stubborn(make):
    """A server that ignores SIGTERM is killed after a while."""
    app = make(text="")
    app.write(start=f"trap '' TERM; {app.command()}", patience="40s")
    old = pid_of(app)
    app.wait_outcome("up")
    app.touch()
    assert pid_of(app) != old
    assert not alive(old)


def test_dies(app, log):
    """A GET whose server died is sent once more, to a new server."""
    reply = visit(app.at("/die"))
    assert (reply.status, reply.text) == (200, "2")
    assert len(app.starts()) == 2


def test_dies_of_a_post(app, log):
    """A POST whose server died isn't."""
    assert visit(app.at("/die"), "POST", b"x").status == 502
    log.expect(app.complaint(), times=1)
    assert len(app.starts()) == 1
    assert pid_of(app) == app.starts()[1]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "DELETE"])
def test_closed(app, method):
    """A safe request is sent once more when the server closes before the answer."""
    visit(app.at("/vars"))
    assert visit(app.at("/close?times=1"), method).status == 200
    assert app.notes.lines("notes") == [f"close {method} 1", f"close {method} 2"]
    assert len(app.starts()) == 1


def test_closed_for_ever(app, log):
    """Once more, and not for ever."""
    assert visit(app.at(f"/close?times={MANY}")).status == 502
    assert app.notes.lines("notes") == ["close GET 1", "close GET 2"]
    log.expect(app.complaint(), times=1)


@pytest.mark.parametrize("query", ["read=1", "unread=1"])
def test_closed_on_a_post(app, log, query):
    """A POST is sent once, whether or not the server read the body."""
    assert visit(app.at(f"/close?times=1&{query}"), "POST", b"x" * 300_000).status == 502
    assert app.notes.lines("notes")[0] == "close POST 1" and "close POST 2" not in app.notes.lines("notes")
    log.expect(app.complaint(), times=1)


def test_chunked_put_closed(app):
    """A PUT whose body was spooled is sent once more with its body."""
    reply = visit(app.at("/close?times=1&read=1"), "PUT", iter([b"x" * 100_000]))
    assert (reply.status, reply.json["size"]) == (200, 100_000)


def test_reset(app, log):
    """A reset before the answer is as good as a close."""
    assert visit(app.at("/reset?times=1")).text == "at last"
    assert visit(app.at(f"/reset?times={MANY}")).status == 502
    log.expect(app.complaint(), times=1)


def test_stopped_and_continued(make):
    """A request that reaches a full queue is held until there is room."""
    app = make("backlog=1")
    pid = pid_of(app)
    kill([pid], signal.SIGSTOP)
    visits = [Later(app.at("/vars")) for _ in range(20)]
    in_queue = 2 if app.httpd.is_module else 0  # a backlog of 1 takes two, which don't wait for lazyscgi
    wait_until(lambda: app.under_way() == 20 - in_queue, what="20 requests under way")
    kill([pid], signal.SIGCONT)
    assert {each.reply.json["pid"] for each in visits} == {pid}
