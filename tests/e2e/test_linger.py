"""The end of a CGI request: the process that httpd started has gone before httpd can see the end of the reply."""
import http.client
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from app import App
from client import visit
from conftest import needs_root
from httpd import Httpd, is_sanitized
from process import alive, kill, read, stat, wait_until


def request_of(app, **more):
    """The environment of a CGI request by httpd."""
    return {"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "Apache", "SCRIPT_FILENAME": app.script, "QUERY_STRING": "", "PATH_INFO": "/vars",
            "REQUEST_METHOD": "GET", **more}


@pytest.mark.parametrize("httpd", ["event"], indirect=True, scope="session")
class TestDirect:
    """The program by itself."""

    def test_gone_at_the_end(self, app):
        """Whoever reads the reply's end finds a zombie."""
        if is_sanitized(app.binary):
            pytest.skip("AddressSanitizer's own end comes in between")
        assert visit(app.at("/vars")).status == 200
        for _ in range(200):
            process = subprocess.Popen([app.binary, app.script], env=request_of(app), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            reply = process.stdout.read()
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            process.wait()
            process.stdout.close()
            assert reply.startswith(b"Status: 200") and ended

    def test_signalled_until_then(self, app):
        """While the reply is under way there is one process, which a signal ends together with the reply."""
        command = [app.binary, app.script]
        process = subprocess.Popen(command, env=request_of(app, PATH_INFO="/sse"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout.readline()
        assert app.helpers() == [process.pid]
        process.terminate()
        process.stdout.read()
        assert process.wait() == -signal.SIGTERM and app.helpers() == []
        process.stdout.close()

    @pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
    def test_stopped_parent(self, app):
        """The last process does not wait for ever for one that was stopped before it could exit."""
        assert visit(app.at("/vars")).status == 200
        command = ["strace", "-D", "-o", "/dev/null", "-e", "inject=clone:signal=STOP", app.binary, app.script]
        process = subprocess.Popen(command, env=request_of(app), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        wait_until(lambda: stat(process.pid)[:1] in ([b"T"], [b"t"]), what="a stopped process")
        wait_until(lambda: app.helpers() == [process.pid], what="the end of the last process")
        process.kill()
        process.stdout.read()
        process.wait()
        process.stdout.close()


def test_keep_alive(app):
    """Many requests over one connection leave no process behind, and no zombie."""
    connection = http.client.HTTPConnection("127.0.0.1", app.httpd.port)
    for _ in range(50):
        connection.request("GET", app.url + "/vars")
        reply = connection.getresponse()
        assert reply.status == 200 and reply.read()
    connection.close()
    wait_until(lambda: app.helpers() == [], what="the end of all requests")



def children(pid):
    """The processes of a process."""
    return [int(word) for word in read(f"/proc/{pid}/task/{pid}/children").split()]


@needs_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
@pytest.mark.parametrize("flavour", ["event", "prefork"])
def test_container(flavour, binary_under_test):
    """Where httpd is process 1, it gets the last processes to reap, and no zombie stays."""
    root = os.path.realpath(tempfile.mkdtemp(prefix="lazyscgi-e2e-"))
    os.chmod(root, 0o755)
    httpd = Httpd(flavour, root, False)
    httpd.limits = {"event": "StartServers 1", "prefork": "StartServers 3"}[flavour]
    httpd.prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    binary = shutil.copy(binary_under_test, root)
    os.chmod(binary, 0o755)
    try:
        httpd.start()
        app = App(httpd, binary, "cgi-bin/app")
        app.write(start=app.command())
        first, = children(httpd.process.pid)
        for _ in range(20):
            assert visit(app.at("/vars")).status == 200
        wait_until(lambda: all(alive(pid) for pid in children(first)), what="the end of all zombies")
        kill(app.pids())
        os.kill(first, signal.SIGTERM)
        httpd.process.wait(20)
        assert "long lost" not in httpd.log()
    finally:
        httpd.process.kill()
        shutil.rmtree(root)
