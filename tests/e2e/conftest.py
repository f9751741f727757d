"""Fixtures: one httpd for each flavour, apps, and the error log that must stay quiet."""
import itertools
import os
import re
import shutil
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
pytest.register_assert_rewrite("app", "client", "httpd", "process", "site_of_tests")

from app import App
from httpd import FLAVOURS, MODULE, ROOT, Httpd, is_sanitized
from process import kill, running, wait_until
from site_of_tests import Site

# Lines of httpd's own about its start and stop, and of the module's about starts that go well.
HARMLESS = re.compile("AH(00094|00163|00169|00170|00489|00491|00493)|lazyscgi:notice")
COUNTER = itertools.count(1)


@pytest.fixture(scope="session")
def binary_under_test():
    """The program that is tested."""
    path = os.path.abspath(os.environ.get("LAZYSCGI", "cgi/lazyscgi"))
    assert os.access(path, os.X_OK), f"{path} is no program; set LAZYSCGI"
    return path


@pytest.fixture(scope="session", params=list(FLAVOURS))
def httpd(request, binary_under_test):
    """A running httpd."""
    root = os.path.realpath(tempfile.mkdtemp(prefix="lazyscgi-e2e-"))
    os.chmod(root, 0o755)
    if request.param.startswith("module") and not MODULE:
        pytest.skip("mod_lazyscgi isn't built: LAZYSCGI_MODULE is not set")
    server = Httpd(request.param, root, is_sanitized(MODULE if request.param.startswith("module") else binary_under_test))
    try:
        yield server.start()
        server.stop()
    finally:
        server.process.kill()
        kill(running(root))
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def binary(httpd, binary_under_test):
    """A copy of the program that httpd's user can run."""
    path = os.path.join(httpd.root, "lazyscgi")
    shutil.copy(binary_under_test, path)
    os.chmod(path, 0o755)
    return path


class Log:
    """What a test leaves in httpd's error log."""

    def __init__(self, httpd):
        self.httpd, self.expected = httpd, []
        self.offset = len(httpd.log().encode()) if not os.path.exists(httpd.error_log) else os.path.getsize(httpd.error_log)

    def lines(self):
        """The lines of this test so far."""
        lines = self.httpd.log(self.offset).splitlines()
        return [line for line in lines if line.strip() and not HARMLESS.search(line)]

    def matching(self, pattern):
        """The lines that match."""
        return [line for line in self.lines() if re.search(pattern, line)]

    def expect(self, pattern, times=None):
        """Wait for a line, and allow such lines; `times` says how many there must be in the end."""
        self.expected.append((pattern, times))
        wait_until(lambda: self.matching(pattern), 10, f"{pattern!r} in the error log, which has {self.lines()}")
        return self.matching(pattern)

    def allow(self, pattern):
        """Allow lines that may come."""
        self.expected.append((pattern, None))

    def check(self):
        """Fail for a line that no test expected, or a wrong count of those expected."""
        patterns = [pattern for pattern, times in self.expected]
        unexpected = [line for line in self.lines() if not any(re.search(pattern, line) for pattern in patterns)]
        assert not unexpected, "not expected in the error log:\n" + "\n".join(unexpected)
        for pattern, times in self.expected:
            assert times in (None, len(self.matching(pattern))), self.matching(pattern)


@pytest.fixture
def log(httpd):
    """httpd's error log during one test."""
    return Log(httpd)


@pytest.fixture
def make(httpd, binary, log):
    """Make an app: `server` are options of our server, `start` a command of its own, or neither to forward only."""
    apps = []

    def build(server="", place="cgi-bin/app", name="app.cgi", installed=False, text=None, **keys):
        if installed and httpd.is_module:
            pytest.skip("of the CGI program only")
        app = App(httpd, binary, f"{place}{next(COUNTER)}", name, installed)
        apps.append(app)
        if server is not None and "start" not in keys:
            keys["start"] = app.command(server)
        return app.write(text, **keys)

    yield build
    for app in apps:
        app.clean()
    log.check()


@pytest.fixture
def app(make):
    """An app with nothing special."""
    return make()


@pytest.fixture(scope="module")
def unharmed(httpd):
    """httpd's children are the same after all tests of a file."""
    before = set(httpd.children())
    yield
    assert before <= set(httpd.children()), "a child of httpd has ended"


needs_root = pytest.mark.skipif(not ROOT, reason="needs a second user")


@pytest.fixture(params=["module-event", "module-prefork"])
def site(request):
    """A site of its own, not started yet."""
    if not MODULE:
        pytest.skip("mod_lazyscgi isn't built: LAZYSCGI_MODULE is not set")
    site = Site(request.param)
    try:
        yield site
        site.stop()
        assert site.errors() == []
    finally:
        site.remove()
