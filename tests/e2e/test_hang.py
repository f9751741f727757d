"""A server that is there and does not work: told from a slow one, stopped, and started anew, once."""
import os
import signal

import pytest

from client import Later, visit
from httpd import free_port
from process import alive, kill, wait_until

SILENT = "was silent for the whole of 'response-timeout'"
RESTARTED = r"it hangs \('hang-limit'\), so it is restarted"


def hanging(make, options="always=hang_first", **keys):
    """An app whose first server hangs, as a rule, and whose second does not."""
    return make(options, response_timeout="400ms", **keys)


def hang(app, times):
    """As many visitors in a row as get no answer."""
    for _ in range(times):
        assert visit(app.at("/vars")).status == 504


def is_answered_by_the_second(app):
    """The next visitor is answered, by a server that is the only one."""
    assert visit(app.at("/vars")).text == "2"
    assert len(app.starts()) == 2 and app.pids() == app.starts()[1:]


@pytest.mark.parametrize("limit", [None, 1])
def test_never_answers(make, log, limit):
    """As many requests in a row as hang-limit says, 3 by default."""
    app = hanging(make, hang_limit=limit)
    hang(app, limit or 3)
    log.expect(app.complaint(SILENT), times=limit or 3)
    assert len(log.matching(RESTARTED)) == 1
    is_answered_by_the_second(app)


def test_herd(make, log):
    """Many requests at a server that hangs are one restart."""
    app = hanging(make)
    replies = [Later(app.at("/vars")) for _ in range(30)]
    assert {later.reply.status for later in replies} <= {200, 502, 504}
    log.allow(app.complaint())
    is_answered_by_the_second(app)
    assert len(log.matching(RESTARTED)) == 1


@pytest.mark.parametrize("address", ["unix", "tcp"])
def test_stopped(make, log, address):
    """A server that stands still."""
    app = make(response_timeout="400ms", socket=f"127.0.0.1:{free_port()}" if address == "tcp" else None)
    assert visit(app.at("/vars")).status == 200
    kill(app.pids(), signal.SIGSTOP)
    hang(app, 3)
    log.expect(app.complaint(SILENT), times=3)
    assert visit(app.at("/vars")).json["pid"] == app.starts()[1]
    assert app.pids() == app.starts()[1:]


def test_closes(make, log):
    """A server that only closes, for as long as response-timeout and as often as hang-limit."""
    app = hanging(make, "always=close_first", hang_limit=2)
    replies = []

    def answered():
        replies.append(visit(app.at("/vars")))
        return replies[-1].status == 200

    wait_until(answered, what="the second server")
    log.expect(app.complaint("closed the connection before answering"), times=len(replies) - 1)
    assert len(replies) > 3 and len(log.matching(RESTARTED)) == 1
    is_answered_by_the_second(app)


def test_slow_among_others(make, log):
    """Requests that take too long, among others that are answered, restart nothing."""
    app = make(response_timeout="3s", hang_limit=1)
    slow = [Later(app.at("/hang")) for _ in range(4)]
    while any(later.is_alive() for later in slow):
        assert visit(app.at("/vars")).status == 200
    assert [later.reply.status for later in slow] == [504] * 4
    log.expect(app.complaint(SILENT), times=4)
    assert log.matching(RESTARTED) == [] and len(app.starts()) == 1


def test_never(make, log):
    """Without a limit nothing is restarted, and nothing is kept."""
    app = hanging(make, hang_limit=0)
    hang(app, 4)
    log.expect(app.complaint(SILENT), times=4)
    assert len(app.starts()) == 1 and not os.path.exists(app.state_path("silence"))


def test_stop_command(make, log):
    """A server on TCP that has left its session is known to its owner alone."""
    app = hanging(make, start=None)
    command = app.command("always=hang_first").removeprefix("exec ")
    app.write(start=f"setsid {command} & exit 0", stop=f"kill -9 $(tail -n 1 {app.folder}/starts)", socket=f"127.0.0.1:{free_port()}", response_timeout="400ms")
    hang(app, 3)
    log.expect(app.complaint(SILENT), times=3)
    is_answered_by_the_second(app)
    app.touch()
    assert visit(app.at("/vars")).text == "3"
    assert app.pids() == app.starts()[2:]


def test_no_stop_command(make, log):
    """Without that it can't be stopped, and goes on; the owner finds that in the app's log."""
    app = hanging(make, start=None)
    command = app.command("always=hang_first").removeprefix("exec ")
    app.write(start=f"setsid {command} & exit 0", socket=f"127.0.0.1:{free_port()}", response_timeout="400ms")
    hang(app, 3)
    log.expect(app.complaint(SILENT), times=3)
    wait_until(lambda: "could not be stopped to be restarted" in app.log(), what="a line in the app's log")
    assert len(app.starts()) == 1 and alive(app.starts()[0])
