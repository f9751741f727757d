"""Mistakes in the app file: 500, and a line that names file and line."""
import os
import re

import pytest

from client import visit

# The `#!` line is the first.
MISTAKES = {
    "empty value": ("start =\n", 2, "start"),
    "no equals sign": ("# fine\n\nstart\n", 4, ""),
    "no key": ("= true\n", 2, ""),
    "unknown": ("satrt = true\n", 2, "start"),
    "unknown later": ("start = true\n\n# fine\nstart-timout = 3s\n", 5, "start-timeout"),
    "repeated": ("start = true\nstart = false\n", 3, "start"),
    "duration": ("start = true\npatience = soon\n", 3, "patience"),
    "no unit": ("start = true\nresponse-timeout = 5 parsecs\n", 3, "response-timeout"),
    "size": ("start = true\nmax-body = -1\n", 3, "max-body"),
    "overflow": ("start = true\nmax-body = 99999999999999999999G\n", 3, "max-body"),
    "address": ("start = true\nsocket = localhost\n", 3, "socket"),
    "port": ("start = true\nsocket = 127.0.0.1:99999\n", 3, "socket"),
    "environment": ("start = true\nenv = 1+1\n", 3, "env"),
    "long path": ("start = true\nsocket = /" + "x" * 200 + "\n", 3, "socket"),
}


def refused(app, log, text=""):
    """The app file is refused, and nothing is started."""
    reply = visit(app.at("/vars"))
    assert reply.status == 500
    assert app.folder not in reply.text
    assert not os.path.exists(os.path.join(app.folder, "starts"))
    return log.expect(app.complaint(text), times=1)[0]


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(make, log, name):
    """A mistake is named by line, with the nearest known key."""
    text, line, key = MISTAKES[name]
    message = refused(make(text=text), log, rf"\b{line}\b")
    assert re.search(rf"\b{key}\b", message.rpartition("app.cgi")[2])


def test_nul(make, log):
    """A NUL byte is a mistake."""
    refused(make(text="start = true\0 x\n"), log)


@pytest.mark.parametrize("bit", [0o020, 0o002], ids=["group", "others"])
def test_writable_by_others(make, log, bit):
    """An app file that others may write is refused."""
    app = make()
    os.chmod(app.file, 0o755 | bit)
    refused(app, log)


def test_missing(make, log):
    """An installed program without its app file says so."""
    app = make(name="x.cgi", installed=True)
    os.unlink(app.file)
    refused(app, log)


def test_unreadable(make, log):
    """An app file that may not be read is refused."""
    app = make(name="x.cgi", installed=True)
    os.chmod(app.file, 0)
    refused(app, log)


@pytest.mark.parametrize("ending", ["\r\n", "\n\n"])
def test_line_endings(make, ending):
    """A file that came by FTP with DOS line ends works."""
    app = make(text="", name="x.cgi", installed=True)
    app.write(ending.join(["# app", f"start = {app.command()}", "patience = 20s", ""]))
    assert visit(app.at("/vars")).status == 200


def test_keys(make):
    """Every key is taken, relative paths from the app file's folder."""
    app = make(text="")
    for name in ("work", "kept"):
        os.mkdir(os.path.join(app.folder, name), 0o700)
        os.chown(os.path.join(app.folder, name), *os.stat(app.folder)[4:6])
    app.write(start=f"pwd; {app.command()}", directory="work", state_dir="kept", log="own.log", socket="./own.sock", max_body="2M",
              start_timeout="20s", patience="10s", response_timeout="500ms", env="A=1\nenv = B=2")
    assert visit(app.at("/vars")).status == 200
    with open(os.path.join(app.folder, "own.log")) as file:
        assert file.readline().strip() == os.path.join(app.folder, "work")
    assert os.path.exists(os.path.join(app.folder, "kept", "app.cgi.state"))
    assert not os.path.exists(app.state_folder)
