"""Whoever of lazyscgi is killed, and wherever: the next request is served, and one start command ran."""
import shutil
import subprocess

import pytest

from client import visit
from httpd import ROOT, user
from process import wait_until

POINTS = ["fork,?vfork,?clone,?clone3", "setsid", "openat,?open", "mkdir,?mkdirat", "flock", "socketpair", "unlinkat,?unlink", "pipe2,?pipe", "close_range",
          "renameat,?rename", "write", "recvfrom,?read", "ppoll,?poll", "connect", "dup2,?dup3", "fcntl"]


def request_of(app):
    """The environment of a CGI request."""
    return {"GATEWAY_INTERFACE": "CGI/1.1", "SCRIPT_FILENAME": app.script, "SCRIPT_NAME": app.url, "PATH_INFO": "/vars", "QUERY_STRING": "",
            "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "PATH": "/usr/bin:/bin"}


def run_killed(app, calls, when):
    """Run one request of which every process is killed at its n-th such system call; the start command isn't."""
    command = ["strace", "-f", "-b", "execve", "-o", "/dev/null", "-e", f"inject=?{calls}:signal=KILL:when={when}", app.binary, app.script]
    who = {"user": user().pw_uid, "group": user().pw_gid, "extra_groups": []} if ROOT else {}
    subprocess.run(command, env=request_of(app), stdin=subprocess.DEVNULL, capture_output=True, timeout=30, **who)


@pytest.mark.parametrize("httpd", ["event"], indirect=True, scope="session")
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("when", [1, 2, 3])
@pytest.mark.parametrize("calls", POINTS, ids=lambda calls: calls.split(",")[0])
def test_killed_at(make, calls, when):
    """Killed at a system call."""
    app = make()
    run_killed(app, calls, when)
    reply = visit(app.at("/vars"))
    assert reply.status == 200, reply.text
    assert app.starts() == [reply.json["pid"]]
    wait_until(lambda: app.pids() == app.starts(), what="one server alone")
