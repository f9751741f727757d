"""Other users of the same host: what they serve, plant, swap, or would like to read."""
import contextlib
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import stat as modes
import subprocess
import sys

import pytest

from client import visit
from conftest import COUNTER, needs_root
from httpd import give, user
from process import wait_until
from test_direct import build, nobody  # noqa: F401, fixtures
from test_kill import request_of

pytestmark = needs_root
NEIGHBOUR = pwd.getpwnam("nobody")
SPY = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
os.umask(0)
sock.bind(sys.argv[1].replace("@", "\\0", 1))
sock.listen()
print("listens", flush=True)
while True:
    print(len(sock.accept()[0].recv(2)), flush=True)
"""


class Answer:
    """What a request has got: a status, a page, and lines for the owner."""

    def __init__(self, output, log):
        self.page, self.log = output.decode("latin-1"), log.decode("latin-1")
        self.status = int((re.match(r"Status: (\d+)", self.page) or [0, 0])[1])


def begin(app, command=(), umask=0o022):
    """Begin a request of the app's user."""
    return subprocess.Popen([*command, app.binary, app.script], env=request_of(app), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=user().pw_uid, group=user().pw_gid,
                            extra_groups=[], umask=umask)


def ask(app, **options):
    """Make a request as the app's user."""
    return Answer(*begin(app, **options).communicate(timeout=60))


def refused(app, status, *words):
    """A request fails, and the owner's line has all of the words."""
    answer = ask(app)
    assert answer.status == status, answer.page
    assert [word for word in words if word not in answer.log] == [], answer.log
    return answer


@pytest.fixture
def app(build):
    """An app that isn't written yet."""
    return build(text="")


def folder(app, mode=0o777):
    """A folder of root's; unless the mode says otherwise, others can write it."""
    path = app.httpd.make(f"folder{next(COUNTER)}")
    os.chmod(path, mode)
    return path


@contextlib.contextmanager
def spy(address):
    """A server of the neighbour's; gives a function that tells what each client has sent: 0, 1, or 2 bytes if it was more."""
    process = subprocess.Popen([sys.executable, "-SEc", SPY, address], user=NEIGHBOUR.pw_uid, group=NEIGHBOUR.pw_gid,
                               extra_groups=[], stdout=subprocess.PIPE, text=True)

    def clients():
        connect(address, b"1")
        return list(iter(process.stdout.readline, "1\n"))

    with process:
        try:
            assert process.stdout.readline() == "listens\n"
            yield clients
        finally:
            process.kill()


def plant(path, kind="file", mode=0o666, text=""):
    """Have the neighbour plant a file, a folder, a FIFO, a leftover socket, or a link to `text`."""
    if kind == "folder":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        os.symlink(text, path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
    else:
        with open(path, "w") as file:
            file.write(text)
    os.chown(path, NEIGHBOUR.pw_uid, NEIGHBOUR.pw_gid, follow_symlinks=False)
    if kind != "link":
        os.chmod(path, mode)
    return path


def can(action, *arguments):
    """Whether the neighbour has the permission to do something."""
    child, status = os.fork(), 2
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NEIGHBOUR.pw_gid)
            os.setuid(NEIGHBOUR.pw_uid)
            action(*arguments)
            status = 0
        except PermissionError:
            status = 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1), f"{action} {arguments} fails for another reason"
    return status == 0


def connect(address, data=b""):
    """Connect to a Unix socket, and say something."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(address.replace("@", "\0", 1))
        sock.sendall(data)


# ---- who serves ------------------------------------------------------------------------------------


def address_of(app, kind):
    """An address that anybody can take."""
    return f"@lazyscgi-{next(COUNTER)}-{os.getpid()}" if kind == "abstract" else folder(app, 0o1777) + "/x.sock"


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_served_by_a_neighbour(app, kind):
    """A neighbour's server gets nothing of a request, and is named."""
    address = address_of(app, kind)
    app.write(start=app.command(), socket=address)
    with spy(address) as clients:
        refused(app, 502, address, f"another user ({NEIGHBOUR.pw_uid})")
        assert set(clients()) == {"0\n"}
    assert app.starts() == []


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_served_by_a_neighbour_meanwhile(app, kind):
    """Nor does one that takes the address while the owner's server boots."""
    address = address_of(app, kind)
    app.write(start=app.command("gate"), socket=address)
    request = begin(app)
    app.wait_starts()
    with spy(address) as clients:
        answer = Answer(*request.communicate(timeout=60))
        assert answer.status == 502 and f"another user ({NEIGHBOUR.pw_uid})" in answer.log, answer.log
        app.open_gate()
        wait_until(lambda: not app.pids(), what="the end of a server that found its address taken")
        refused(app, 502, "another user")
        assert set(clients()) == {"0\n"}


def test_served_by_the_owner(app):
    """A server of the app file's owner, as whom the request does not run, is served."""
    address = folder(app, 0o1777) + "/x.sock"
    app.write(start="false", socket=address)
    os.chown(app.file, NEIGHBOUR.pw_uid, NEIGHBOUR.pw_gid)
    with spy(address) as clients:
        assert ask(app).status == 502  # this one says nothing
        assert "2\n" in clients()


@pytest.mark.parametrize("mode, status", [(0o1777, 503), (0o777, 200)], ids=["sticky", "not sticky"])
def test_leftover_socket_of_a_neighbour(app, mode, status):
    """What a neighbour has left at the socket's path goes away where it can, else the start fails."""
    address = plant(folder(app, mode) + "/x.sock", "socket")
    app.write(start=app.command(), socket=address)
    assert ask(app).status == status
    assert len(app.starts()) == 1


# ---- what is planted -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o1777, 0o777], ids=["sticky", "not sticky"])
@pytest.mark.parametrize("kind", ["folder", "link to the owner's", "link to the neighbour's", "link to nothing", "file", "fifo"])
def test_planted_state_folder(app, mode, kind):
    """A state folder that a neighbour has put there is refused, and nothing is written through it."""
    shared = folder(app, mode)
    owners, theirs = give(folder(app, 0o755)), plant(folder(app) + "/theirs", "folder", 0o777)
    target = {"link to the owner's": owners, "link to the neighbour's": theirs, "link to nothing": owners + "/made"}.get(kind)
    plant(shared + "/state", "link" if target else kind, 0o777, target or "")
    app.write(start=app.command(), state_dir=shared + "/state")
    refused(app, 500, shared + "/state")
    assert app.starts() == os.listdir(owners) == os.listdir(theirs) == []


@pytest.mark.parametrize("kind", ["file", "link", "fifo", "folder"])
def test_planted_log(app, kind):
    """A log of a neighbour's is not written to: he would read what the server says."""
    log = plant(folder(app, 0o1777) + "/app.log", kind, text=app.make("precious") if kind == "link" else "")
    app.write(start=app.command(), log=log)
    refused(app, 503, log)
    assert app.starts() == []
    assert kind != "file" or os.path.getsize(log) == 0
    assert os.path.getsize(os.path.join(app.folder, "precious")) == 0 if kind == "link" else True


@pytest.mark.parametrize("name", ["/dev/null", "root's"])
def test_log_of_root(app, name):
    """Root's files are no neighbour's."""
    log = name if name == "/dev/null" else folder(app, 0o755) + "/app.log"
    if log != name:
        with open(log, "w"):
            os.chmod(log, 0o666)
    app.write(start=app.command(), log=log)
    assert ask(app).status == 200


@pytest.mark.parametrize("kind", ["fifo", "file", "link"])
def test_planted_bell(app, kind):
    """A bell of a neighbour's, who can keep it from ringing, or none, makes nobody wait for ever."""
    app.write(start=app.command("gate"))
    bell = os.path.join(app.make_state_folder(), "app.cgi.wait")
    plant(bell, kind, text="/dev/null")
    with open(bell, "r+b", 0):
        requests = [begin(app) for _ in range(5)]
        app.wait_starts()
        app.open_gate()
        assert [Answer(*request.communicate(timeout=60)).status for request in requests] == [200] * 5
    assert len(app.starts()) == 1


# ---- what is swapped -------------------------------------------------------------------------------

PATHS = ("openat,?open,?mkdir,?mkdirat,?mknod,?mknodat,?unlink,?unlinkat,?rename,?renameat,?renameat2,connect,?stat,?lstat,?newfstatat,"
         "?statx,?access,?faccessat,?faccessat2,?chdir")


def run_stopped(app, when, action, trace):
    """Run a request of which every process stops at its n-th call with a path; `action` happens at the first. Gives the
    answer and how many have stopped."""
    request = begin(app, ["strace", "-f", "-q", "-b", "execve", "-o", trace, "-e", f"inject=?{PATHS}:signal=STOP:when={when}"])
    stopped = []

    def ended():
        with open(trace) as file:
            new = re.findall(r"(?m)^(\d+) +--- stopped by SIGSTOP ---\n", file.read())[len(stopped):]
        for pid in new:
            if not stopped:
                action()
            stopped.append(pid)
            os.kill(int(pid), signal.SIGCONT)
        return request.poll() is not None

    wait_until(lambda: os.path.exists(trace), what="strace")
    wait_until(ended, 60, "the end of the request")
    return Answer(*request.communicate()), len(stopped)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_swapped_state_folder(app):
    """A neighbour who can rename the state folder puts his own in its place before any call that has a path: nothing in it is
    believed, nothing of the neighbour's is written, and nothing that is made there can he read."""
    shared = folder(app, 0o777)
    traces = folder(app, 0o777)
    for when in itertools.count(1):
        state, trap = f"{shared}/{when}", plant(f"{shared}/trap{when}", "folder", 0o777)
        for name, text in ("lock", ""), ("state", "outcome = stopping\npid = 1\n"), ("log", ""):
            plant(f"{trap}/app.cgi.{name}", text=text)
        plant(trap + "/app.cgi.wait", "fifo")
        planted = {name: os.path.getsize(os.path.join(trap, name)) for name in os.listdir(trap)}
        app.write(start=app.command(), state_dir=state)
        before = len(app.starts())

        def swap():
            if os.path.exists(state):
                os.rename(state, state + ".away")
            os.rename(trap, state)

        answer, stops = run_stopped(app, when, swap, f"{traces}/{when}")
        where = f"swapped at {when}: {answer.page} {answer.log}"
        assert answer.status in (200, 500, 502, 503), where
        if stops == 0:
            break
        wait_until(lambda: not app.helpers(), what="the end of the starter")
        assert len(app.starts()) - before <= 1, where
        for name in os.listdir(state):
            path = os.path.join(state, name)
            assert os.path.getsize(path) == planted.get(name, os.path.getsize(path)), f"{name} {where}"
            assert name in planted or name.endswith(".sock") or not os.stat(path).st_mode & 0o077, f"{name} {where}"
            assert name in planted or not can(connect if name.endswith(".sock") else open, path), f"{name} {where}"
        app.kill()
    assert when > 10, "strace has stopped nothing"


# ---- what can be read ------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [0o700, 0o755], ids=["closed", "open"])
@pytest.mark.parametrize("umask", [0, 0o077])
def test_nothing_is_open_to_a_neighbour(app, umask, folder):
    """Whatever httpd's umask, and even in a folder that its owner has opened, others can read, hold and reach nothing."""
    app.write(start=app.command())
    assert ask(app, umask=umask).status == 200
    app.wait_outcome("up")
    assert modes.S_IMODE(os.stat(app.state_folder).st_mode) == 0o700
    os.chmod(app.state_folder, folder)
    names = {name: os.path.join(app.state_folder, name) for name in os.listdir(app.state_folder)}
    assert set(names) >= {f"app.cgi.{kind}" for kind in ("lock", "log", "sock", "state", "wait")} | {".htaccess"}
    for name, path in names.items():
        if name.endswith(".sock"):
            assert not can(connect, path)
            continue
        assert modes.S_IMODE(os.lstat(path).st_mode) == 0o600, name
        assert not can(os.open, path, os.O_RDONLY | os.O_NONBLOCK) and not can(os.open, path, os.O_WRONLY | os.O_NONBLOCK), name
    assert not can(os.unlink, names["app.cgi.sock"]) and not can(open, app.state_folder + "/new", "w")
    assert not can(os.kill, app.starts()[0], signal.SIGTERM) and not can(open, f"/proc/{app.starts()[0]}/environ")
    assert ask(app, umask=umask).status == 200


# ---- app files -------------------------------------------------------------------------------------


def test_link_to_a_neighbours_app_file(app):
    """An app file may be a link, as a CGI script may: what counts is the file that it leads to."""
    app.write(start=app.command())
    theirs = shutil.move(app.file, app.folder + "/theirs")
    os.symlink(theirs, app.file)
    os.chown(theirs, NEIGHBOUR.pw_uid, NEIGHBOUR.pw_gid)
    assert ask(app).status == 200
    os.chmod(theirs, 0o775)
    refused(app, 500, "group or by others")


@pytest.mark.parametrize("mode", [0o757, 0o1757])
def test_app_file_in_a_folder_of_all(app, mode):
    """Who can write the folder can put any program there, so lazyscgi does not look at it; but a state folder that isn't the
    owner's is refused."""
    app.write(start=app.command())
    os.chmod(app.folder, mode)
    assert ask(app).status == 200
    app.kill()
    shutil.move(app.state_folder, app.folder + "/away")
    plant(app.state_folder, "folder", 0o777)
    refused(app, 500, "belongs to another user")


# ---- inside httpd ----------------------------------------------------------------------------------

only_module = pytest.mark.parametrize("site", ["module-event"], indirect=True)


@only_module
def test_module_makes_nothing_open(site):
    """What the module keeps is closed to others, whatever httpd's umask."""
    app = site.app(write=False)
    before = os.umask(0)
    try:
        site.start(f'<Location "/rpc">\nLazySCGI start "{app.command()}"\n</Location>\n')
    finally:
        os.umask(before)
    assert visit(site.at("/rpc/vars")).status == 200
    runtime = os.path.join(site.root, "run", "lazyscgi")
    assert modes.S_IMODE(os.stat(runtime).st_mode) == 0o700
    names = [name for name in os.listdir(runtime) if not name.endswith(".sock")]
    assert len(names) >= 5
    assert {modes.S_IMODE(os.stat(os.path.join(runtime, name)).st_mode) for name in names} == {0o600}


@only_module
def test_module_takes_no_planted_runtime_folder(site):
    """A runtime folder that a neighbour has put there is not taken over, and his app files in it aren't used."""
    app = site.app(write=False)
    location = f'<Location "/rpc">\nLazySCGI start "{app.command()}"\n</Location>\n'
    site.start(location)
    assert visit(site.at("/rpc/vars")).status == 200
    runtime = os.path.join(site.root, "run", "lazyscgi")
    name = next(name for name in os.listdir(runtime) if re.fullmatch(r"inline-_rpc-[0-9a-f]*", name))
    app.kill()
    site.httpd.stop()
    shutil.rmtree(runtime)
    plant(runtime, "folder", 0o755)
    bait = plant(os.path.join(runtime, name), mode=0o644, text=f"start = touch {app.folder}/bitten; false\nstate-dir = {runtime}\n")
    os.utime(bait, (4e9, 4e9))
    site.start(location)
    assert visit(site.at("/rpc/vars")).status == 500
    site.expect("lazyscgi: ")
    assert not os.path.exists(app.folder + "/bitten")
    assert os.stat(runtime).st_uid == NEIGHBOUR.pw_uid
