"""The CGI program without a web server: environments and replies that no httpd would let through."""
import contextlib
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from urllib.parse import quote_from_bytes

import pytest

from app import App
from client import MANY_NAMES
from httpd import ROOT, Httpd, give, user
from process import kill, running, wait_until
from server import blocks
from test_kill import request_of


class Nobody(Httpd):
    """What an app needs of its web server; the requests are ours."""

    is_module = False

    def __init__(self, root):
        self.root, self.exe = root, os.path.realpath(sys.executable)


class Answer:
    """What the program gave to one request."""

    def __init__(self, done):
        self.output, self.words = done.stdout, done.stderr.decode("latin-1").splitlines()
        assert done.returncode == 0, (done.returncode, self.words)
        head, _, self.body = self.output.replace(b"\r\n", b"\n").partition(b"\n\n")
        self.head = head.split(b"\n")
        self.status = int(self.head[0][7:11]) if self.head[0].startswith(b"Status: ") else None


class Direct(App):
    """An app whose requests we make."""

    def run(self, how, path, variables, **options):
        """Have subprocess run the program, with these variables of latin-1 beside or in place of the usual ones; None: without that one."""
        variables = {**request_of(self), "PATH_INFO": path, **variables}
        environment = {name.encode("latin-1"): os.fsencode(value) if name.startswith("SCRIPT_") else value.encode("latin-1")
                       for name, value in variables.items() if value is not None}
        who = {"user": user().pw_uid, "group": user().pw_gid, "extra_groups": []} if ROOT else {}
        return how([self.binary, self.script], env=environment, stderr=subprocess.PIPE, **options, **who)

    def ask(self, path="/vars", body=b"", limits=None, **variables):
        """One whole request."""
        options = {"stdin": body} if hasattr(body, "fileno") else {"input": body}
        return Answer(self.run(subprocess.run, path, variables, stdout=subprocess.PIPE, timeout=60, preexec_fn=limits, **options))

    def say(self, reply, **variables):
        """Have the server send these bytes."""
        return self.ask("/say", QUERY_STRING="reply=" + quote_from_bytes(reply), **variables)


@pytest.fixture(scope="module")
def nobody(binary_under_test):
    """A folder with a copy of the program, which every user can run."""
    root = os.path.realpath(tempfile.mkdtemp(prefix="lazyscgi-e2e-"))
    os.chmod(root, 0o755)
    try:
        shutil.copy(binary_under_test, os.path.join(root, "lazyscgi"))
        os.chmod(os.path.join(root, "lazyscgi"), 0o755)
        yield Nobody(root)
    finally:
        kill(running(root))
        shutil.rmtree(root)


@pytest.fixture
def build(nobody):
    """Make an app of its own."""
    apps = []

    def make(place=None, **keys):
        app = Direct(nobody, os.path.join(nobody.root, "lazyscgi"), place or f"app{random.getrandbits(40):x}")
        apps.append(app)
        keys.setdefault("start", app.command())
        return app.write(**keys)

    yield make
    for app in apps:
        app.clean()


@pytest.fixture(scope="module")
def shared(nobody):
    """An app that all tests share, up; each must leave that same server up."""
    app = Direct(nobody, os.path.join(nobody.root, "lazyscgi"), "shared")
    app.write(start=app.command(), max_body="2M", hang_limit="0")
    assert app.ask().status == 200
    yield app
    app.clean()


@pytest.fixture
def direct(shared):
    """The shared app; afterwards its server is the same, and no process or file has been left."""
    app, folder = shared, shared.state_folder
    app.wait_outcome("up")
    wait_until(lambda: not app.helpers(), what="the starter's end")
    before = os.listdir(folder)
    yield app
    assert not app.helpers() and sorted(os.listdir(folder)) == sorted(before)
    assert app.pids() == app.starts() and len(app.starts()) == 1


def refused(answer, status):
    """A failure: its status, a page, and one line for the owner."""
    assert answer.status == status, answer.output
    assert len(answer.words) == 1 and answer.words[0].startswith("lazyscgi: "), answer.words
    assert not [word for word in (b"lazyscgi", b"/tmp", b"CONTENT_LENGTH") if word in answer.body]
    return answer.words[0]


# ---- CONTENT_LENGTH -----------------------------------------------------------------------------------

BAD_LENGTHS = ["-1", "-0", "+7", " 7", "7 ", "7x", "x", "0x7", "7,7", "7;7", "7.0", "7e0", "\xb2", "7\n", "7\nlazyscgi: forged", "\n",
               "9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 100_000]


@pytest.mark.parametrize("length", BAD_LENGTHS, ids=range(len(BAD_LENGTHS)))
def test_malformed_length(direct, length):
    """A length that is no number is a 400 with one line, and no server hears of it."""
    assert "CONTENT_LENGTH can't be '" in refused(direct.ask("/sink", b"1234567", REQUEST_METHOD="POST", CONTENT_LENGTH=length), 400)


@pytest.mark.parametrize("length, got", [("7", 7), ("007", 7), ("0", 0), ("3", 3), ("", 7), (None, 7)])
def test_length(direct, length, got):
    """The server gets as many bytes as were said, or all there are; what is more stays unread."""
    answer = direct.ask("/sink", b"1234567", REQUEST_METHOD="POST", CONTENT_LENGTH=length)
    assert answer.status == 200 and f'"size": {got},'.encode() in answer.body
    assert f'"CONTENT_LENGTH": "{got}"'.encode() in answer.body


@pytest.mark.parametrize("length", ["", None])
def test_no_body(direct, length):
    """A GET without a length has no body, and none is waited for."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as silent, os.fdopen(writer, "wb"):
        assert b'"CONTENT_LENGTH": "0"' in direct.ask(body=silent, CONTENT_LENGTH=length).body


@pytest.mark.parametrize("length", [8, 70_000, 5 << 20, 9223372036854775806])
@pytest.mark.parametrize("body", [b"", b"1234567"], ids=len)
def test_body_shorter_than_said(direct, body, length):
    """A body that ends early is a visitor who left: nobody is answered, and the server is told."""
    def count():
        return direct.notes.lines("notes").count("gone sink EOFError")

    before = count()
    answer = direct.ask("/sink", body, REQUEST_METHOD="POST", CONTENT_LENGTH=str(length))
    assert (answer.output, answer.words) == (b"", [])
    wait_until(lambda: count() > before, what="the server to see its end")


def test_body_longer_than_said(direct):
    """What follows the body is nobody's: the server's reply comes all the same."""
    answer = direct.ask("/sink", b"x" * 10_000_000, REQUEST_METHOD="POST", CONTENT_LENGTH="70000")
    assert answer.status == 200 and b'"size": 70000,' in answer.body


def test_two_lengths(direct):
    """A length wins over a transfer coding, which the web server has undone."""
    answer = direct.ask("/sink", b"1234567", REQUEST_METHOD="POST", CONTENT_LENGTH="3", HTTP_TRANSFER_ENCODING="chunked",
                        HTTP_CONTENT_LENGTH="7")
    assert b'"size": 3,' in answer.body and b'"HTTP_TRANSFER_ENCODING"' not in answer.body


def test_unknown_length_over_the_limit(direct):
    """A body without a length is kept up to max-body; more is a 413."""
    assert b'"size": 2097152,' in direct.ask("/sink", b"x" * (2 << 20), REQUEST_METHOD="POST").body
    assert "max-body" in refused(direct.ask("/sink", b"x" * (2 << 20) + b"y", REQUEST_METHOD="POST"), 413)


# ---- other variables ------------------------------------------------------------------------------------

ODD = {"QUERY_STRING": "a\nb\r\n\tc", "PATH_INFO": "/vars/\n\r\x01\x7f", "REQUEST_METHOD": "G\nET", "REMOTE_USER": "", "CONTENT_TYPE": "\n",
       "HTTP_COOKIE": "".join(map(chr, range(1, 256))), "HTTP_A\nB": "a name of two lines", "12:x,": "4:SCGI,", "HTTP_\xff": "\xfe"}


def variables(answer):
    """What the server got."""
    assert answer.status == 200, (answer.output[:1000], answer.words)
    return json.loads(answer.body)["vars"]


def test_odd_variables(direct):
    """Names and values pass as they are, whatever bytes they have."""
    got = variables(direct.ask(**ODD))
    assert {name: got.get(name) for name in ODD} == ODD


def test_many_headers(direct):
    """Ten thousand headers."""
    headers = {f"HTTP_X_{number}": str(number) for number in range(10_000)}
    got = variables(direct.ask(**headers))
    assert {name: got.get(name) for name in headers} == headers


@pytest.mark.parametrize("stack, count", [(8 << 20, 15), (1 << 20, 1), (512 << 10, 0)])
def test_large_headers(direct, stack, count):
    """Values as large as the system lets a program's environment be: with a stack of 8 MiB 1.9 MiB, with little stack little."""
    headers = {f"HTTP_X_{number}": chr(65 + number) * 130_000 for number in range(count)} | {"HTTP_LAST": "z" * 100_000}
    got = variables(direct.ask(limits=lambda: resource.setrlimit(resource.RLIMIT_STACK, (stack, stack)), **headers))
    assert {name: got.get(name) for name in headers} == headers


@pytest.mark.parametrize("name", ["/nowhere\nlazyscgi: forged", "\n", "", "x" * 100_000, "/" + "x/" * 5000, "/dev/null", "/proc/self/environ", "/", "."],
                         ids=range(9))
def test_odd_script(direct, name):
    """A SCRIPT_FILENAME that is no app file is a 500 with one line."""
    refused(direct.ask(SCRIPT_FILENAME=name), 500)


def test_no_script(direct):
    """So is none at all."""
    assert "does not set this variable" in refused(direct.ask(SCRIPT_FILENAME=None), 500)


def test_odd_accept(direct):
    """A page is HTML for whoever asks for it, and never holds what he sent."""
    for accept, kind in [("text/htm", b"plain"), ("x" * 100_000 + "text/html", b"html"), ("text/html\r\nX-Forged: yes", b"html"), ("\n", b"plain")]:
        answer = direct.ask(CONTENT_LENGTH="-1", HTTP_ACCEPT=accept, REQUEST_METHOD="<script>")
        refused(answer, 400)
        assert answer.head[2] == b"Content-Type: text/" + kind and b"Forged" not in answer.output and b"script" not in answer.output


# ---- what the owner's files hold ------------------------------------------------------------------------


def test_line_end_in_a_path(build):
    """A folder's name that is two lines would forge lines of the state: refused, in one line."""
    app = build("two\nlines", start="true")
    assert "must not hold a line end" in refused(app.ask(), 500)
    assert not os.path.exists(app.state_folder)


@pytest.mark.parametrize("odd", ["tab\tcr\resc\x1b", "blank ", "quote'\"$(touch x)`touch x`;%s%n", "\xff\xfe", "..." * 30])
def test_odd_path(build, odd):
    """Any other name does; what is unfit for a log is not printed."""
    app = build(odd)
    app.write(start=app.command(), socket=f"@{app.folder.encode().hex()[-90:]}")
    assert variables(app.ask())["SCRIPT_FILENAME"] == os.fsencode(app.script).decode("latin-1")
    os.chmod(app.file, 0o777)
    assert not set("\t\r\x1b") & set(refused(app.ask(), 500))
    os.chmod(app.file, 0o755)


APP_FILES = {
    "nul": (b"start = true\0\n", "NUL"),
    "nul in a socket": (b"socket = /tmp/x\0y\n", "NUL"),
    "only nuls": (b"\0" * 100, "NUL"),
    "nothing but a name": (b"socket = unix:\n", "line 2: 'socket' can't be '"),
    "a folder for a socket": (b"start = true\nsocket = ./run/\n", "line 3: 'socket' can't be '"),
    "carriage return in a number": (b"patience = 3\rs\n", "line 2: 'patience' wants a duration"),
    "escape": (b"\x1b[2J\n", "line 2: '?[2J' is not 'key = value'"),
    "long line": (b"x" * 16_000, "line 2: '" + "x" * 600),
    "too large": (b"# x\n" * 4096, "larger than 16384 bytes"),
}


@pytest.mark.parametrize("name", APP_FILES)
def test_odd_app_file(build, name):
    """A file that is no app file is refused, and told of in one line, fit to print."""
    text, words = APP_FILES[name]
    app = build()
    with open(app.file, "ab") as file:
        file.truncate(len(f"#!{app.binary}\n"))
        file.write(text)
    line = refused(app.ask(), 500)
    assert words in line and line.isprintable()
    assert app.starts() == []


def test_odd_env(build):
    """An `env` value reaches the server as it is, but for the white space around it."""
    app = build()
    app.write(start=app.dumping(), env="ODD=a\rb\x1b=\xff")
    assert app.ask().status == 200
    assert "ODD=a\rb\x1b=\xff".encode() in app.dump("environ").split(b"\0")


STATES = {
    "nothing": b"",
    "nuls": b"\0" * 4096,
    "a nul in the middle": b"outcome = up\npid = 1\n\0\nprocess-start = 1\n",
    "line ends": b"\n" * 10_000,
    "one long line": b"reason = " + b"x" * 100_000,
    "noise": random.Random(1).randbytes(20_000),
    "negative": b"outcome = failed\nfailures = -1\nnext-start = 99999999999\n",
    "overflow": b"outcome = failed\nnext-start = 99999999999999999999999\n",
    "no such outcome": b"outcome = sideways\nnext-start = 99999999999\n",
    "process 0": b"outcome = starting\npid = 0\nprocess-start = 0\n",
    "process 1": b"outcome = stopping\npid = 1\nprocess-start = 1\n",
}


@pytest.mark.parametrize("name", STATES)
def test_odd_state(build, name):
    """A state file that makes no sense counts as none, and is replaced by one that does."""
    app = build()
    app.make_state_folder()
    with open(app.state_path("state"), "wb") as file:
        file.write(STATES[name])
    give(app.state_path("state"))
    assert app.ask().status == 200
    assert app.wait_outcome("up")["pid"] == str(app.starts()[0]) and app.pids() == app.starts()


@pytest.mark.parametrize("outcome", ["up", "starting", "failed", "stopping"])
def test_state_that_names_somebody_else(build, outcome):
    """A process that the state names is let alone unless it is the one that was started: pids come round again."""
    app = build()
    app.make_state_folder()
    who = {"user": user().pw_uid} if ROOT else {}
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True, **who)
    try:
        with open(app.state_path("state"), "w") as file:
            file.write(f"outcome = {outcome}\npid = {stranger.pid}\nprocess-start = 1\nstarted = 1\napp-stamp = 1.0+1\n")
        give(app.state_path("state"))
        assert app.ask().status == 200
        app.wait_outcome("up")
        app.touch()
        assert app.ask().status == 200 and len(app.starts()) == 2
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


# ---- replies ----------------------------------------------------------------------------------------------

BAD_REPLIES = [
    b"X: a\rSet-Cookie: b\n\n", b"X: a\r\rSet-Cookie: b\r\n\r\n", b"X: a\0Set-Cookie: b\n\n", b"X: a\n Set-Cookie: b\n\n", b"X: a\n\tb\n\n",
    b"X: a\x0bSet-Cookie: b\n\n", b"X: a\x0c\n\n", b"X: \x1b[2J\n\n", b"X: \x7f\n\n", b"X: y\r\r\n\r\n", b"X\r: y\n\n", b"X : y\n\n", b" X: y\n\n", b": y\n\n",
    b"X\xe9: y\n\n", b"X\n\n", b"\n\nX: y\n\n", b"\r\n", b"Status: 200 OK\rSet-Cookie: b\n\n", b"Status: 200 O\0K\n\n", b"Status: 200\r\r\n\n", b"Status: \n\n",
    b"Status: OK\n\n", b"Status: 99\n\n", b"Status: 100 Continue\n\nHTTP/1.1 200 OK\r\n\r\n", b"Status: 101 Switching Protocols\n\n", b"Status: -200\n\n",
    b"HTTP/1.1 200 OK\rSet-Cookie: b\n\n", b"HTTP/1.1 200 O\0K\n\n", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 OK\n\n",
    b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", b"HTTP 200 OK\n\n", b"X: y\nHTTP/1.1 200 OK\n\n", b"\xff\xfe", b"<html>", b"X: y\n", b"Status: 200 OK", b"H", b"HTTP/1.1 200",
]


@pytest.mark.parametrize("reply", BAD_REPLIES, ids=range(len(BAD_REPLIES)))
def test_bad_reply(direct, reply):
    """A reply that is no CGI response is a 502, and nothing of it reaches the visitor."""
    answer = direct.say(reply)
    assert "the reply of the server" in refused(answer, 502)
    assert answer.output.count(b"Status:") == 1 and b"Cookie" not in answer.output and b"HTTP/" not in answer.output


GOOD_REPLIES = [
    (b"X: y\n\nbody", None), (b"X: y\r\n\r\n\r\n\0\xff", None), (b"x:\n\n", None), (b"X: \xe9\t \"\\\n\n", None), (b"Status: 999 \xff\n\n", None),
    (b"Status: 204\n\nX: y\n\n", None), (b"X: y\n\nSet-Cookie: of the body\r\n\r\n", None), (b"STATUS:404\nX: y\n\n", None), (b"Location: /x\n\n", None),
    (b"HTTP/1.1 200 OK\r\n\r\nbody", b"Status: 200 OK\r\n\r\nbody"), (b"HTTP/2 404\n\n", b"Status:404\n\n"), (b"HTTP/1.0  500  x\n\n", b"Status: 500  x\n\n"),
]


@pytest.mark.parametrize("reply, output", GOOD_REPLIES, ids=range(len(GOOD_REPLIES)))
def test_good_reply(direct, reply, output):
    """What looks almost as odd passes, byte for byte."""
    answer = direct.say(reply)
    assert (answer.output, answer.words) == (output or reply, [])


def test_many_headers_in_a_reply(direct):
    """Ten thousand headers pass when they fit into 64 KiB."""
    direct.make("reply", "".join(f"{name}:\n" for name in MANY_NAMES) + "\nbody")
    answer = direct.ask("/file")
    assert answer.head == [f"{name}:".encode() for name in MANY_NAMES] and answer.body == b"body"


@pytest.mark.parametrize("size, status", [(65_000, None), (70_000, 502), (1 << 20, 502)])
def test_large_header_in_a_reply(direct, size, status):
    """So does one large header; a larger head is a 502 that says so."""
    direct.make("reply", "Status: 200 OK\nX: " + "y" * size + "\n\nbody")
    answer = direct.ask("/file")
    if status:
        assert "has too large a head" in refused(answer, status)
    else:
        assert answer.output.endswith(b"y" * size + b"\n\nbody")


LONG = 5_000_003
LARGE_PIPE = 262_144


@contextlib.contextmanager
def long_reply(direct, output, path="/source", **variables):
    """A request for a long reply, whose output goes to a descriptor of ours that is closed here."""
    with direct.run(subprocess.Popen, path, {"QUERY_STRING": f"n={LONG}", **variables}, stdin=subprocess.DEVNULL, stdout=output) as process:
        os.close(output)
        yield process


def is_whole(output):
    """Whether it is all of that reply."""
    return output.partition(b"\r\n\r\n")[2] == b"".join(blocks(LONG))


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "nonblocking"])
def test_long_reply_into_a_pipe(direct, blocking):
    """The kernel moves it there, through a larger pipe."""
    reader, output = os.pipe()
    os.set_blocking(output, blocking)
    with open(reader, "rb") as pipe, long_reply(direct, output):
        assert is_whole(pipe.read())
        assert fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) == LARGE_PIPE


def test_long_reply_elsewhere(direct):
    """A socket, or a file, is no obstacle."""
    ours, theirs = socket.socketpair()
    with ours, long_reply(direct, theirs.detach()):
        assert is_whole(b"".join(iter(lambda: ours.recv(1 << 16), b"")))
    with tempfile.TemporaryFile() as file:
        with long_reply(direct, os.dup(file.fileno())):
            pass
        file.seek(0)
        assert is_whole(file.read())


def test_long_reply_that_breaks_off(direct):
    """What came of it is handed on."""
    reader, output = os.pipe()
    with open(reader, "rb") as pipe, long_reply(direct, output, "/short") as process:
        assert len(pipe.read().partition(b"\n\n")[2]) == 500_000
    assert process.returncode == 0


def test_long_reply_that_nobody_reads(direct):
    """A reader that goes in the middle ends the program: in a call of its own, or while it waits."""
    reader, output = os.pipe()
    with long_reply(direct, output) as process:
        with open(reader, "rb") as pipe:
            while fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) != LARGE_PIPE:
                assert pipe.read(1000)
        assert process.wait(20) in (0, -signal.SIGPIPE) and process.stderr.read() == b""
