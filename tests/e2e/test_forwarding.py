"""Requests and replies pass unchanged, at once, both ways."""
import hashlib
import http.client

import pytest

from app import vars_of
from client import asking, visit
from httpd import free_port
from server import blocks, digest

BIG = 100 << 20


def joined(response):
    """Length and checksum of a reply that is too large to keep."""
    total, size = hashlib.sha256(), 0
    for block in iter(lambda: response.read(1 << 20), b""):
        total.update(block)
        size += len(block)
    return size, total.hexdigest()


def test_get(app):
    """The server gets the variables, CONTENT_LENGTH first."""
    reply = visit(app.at("/vars/a%20b?x=1&y=%20"), headers={"X-Test": "yes", "Cookie": "a=b"})
    got = vars_of(reply)
    assert reply.json["first"] == "CONTENT_LENGTH"
    assert got["CONTENT_LENGTH"] == "0" and got["SCGI"] == "1"
    assert got["REQUEST_METHOD"] == "GET" and got["QUERY_STRING"] == "x=1&y=%20"
    assert got["SCRIPT_NAME"] == app.url and got["PATH_INFO"] == "/vars/a b"
    assert got["HTTP_X_TEST"] == "yes" and got["HTTP_COOKIE"] == "a=b"
    assert got["SERVER_PROTOCOL"] == "HTTP/1.1" and got["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_body(app, method):
    """A body arrives whole."""
    reply = visit(app.at("/sink"), method, b"one\0two", {"Content-Type": "x/y"})
    assert reply.json["sha256"] == hashlib.sha256(b"one\0two").hexdigest()
    got = vars_of(reply)
    assert got["REQUEST_METHOD"] == method
    assert got["CONTENT_LENGTH"] == "7" and got["CONTENT_TYPE"] == "x/y"


def test_empty_post(app):
    """A POST without a body has length 0."""
    assert visit(app.at("/sink"), "POST", b"").json["size"] == 0


@pytest.mark.parametrize("path", ["/vars", "/source?n=300000"])
def test_head(app, path):
    """A HEAD reply has a head only, even if the server sends a body."""
    reply = visit(app.at(path), "HEAD")
    assert reply.status == 200 and reply.body == b""


def test_large_down(app):
    """100 MB down are the same by checksum."""
    with asking(app.at(f"/source?n={BIG}")) as response:
        assert joined(response) == (BIG, digest(BIG))


def test_large_up(app):
    """100 MB up are the same by checksum."""
    reply = visit(app.at("/sink"), "POST", blocks(BIG), {"Content-Length": str(BIG)})
    assert (reply.json["size"], reply.json["sha256"]) == (BIG, digest(BIG))
    assert vars_of(reply)["CONTENT_LENGTH"] == str(BIG)


@pytest.mark.parametrize("size", [0, 1, 70_000, 8 << 20])
def test_chunked(app, size):
    """A body of unknown length comes with its length."""
    reply = visit(app.at("/sink"), "POST", blocks(size))
    assert (reply.json["size"], reply.json["sha256"]) == (size, digest(size))
    got = vars_of(reply)
    assert got["CONTENT_LENGTH"] == str(size) and "HTTP_TRANSFER_ENCODING" not in got


def test_chunked_too_large(make, log):
    """A chunked body over max-body is refused, and no server hears of it."""
    app = make(max_body="1M")
    assert visit(app.at("/sink"), "POST", blocks(1 << 20)).json["size"] == 1 << 20
    assert visit(app.at("/sink"), "POST", blocks(3 << 20)).status == 413
    log.expect(app.complaint(), times=1)


def test_known_length_over_max_body(make):
    """max-body is no limit for a body of known length."""
    app = make(max_body="1M")
    reply = visit(app.at("/sink"), "POST", blocks(3 << 20), {"Content-Length": str(3 << 20)})
    assert reply.json["size"] == 3 << 20


def test_event_stream(app):
    """An event arrives while the stream goes on."""
    with asking(app.at("/sse")) as response:
        assert response.readline() == b"data: tick\n"
        app.make("end")
        assert response.read().endswith(b"data: last\n\n")


def test_at_once(app):
    """The head arrives before there is a body, and each part of the body before there is the next."""
    with asking(app.at("/turns")) as response:
        for number in "1234":
            app.make(number)
            assert (response.readline(), response.readline()) == (f"data: {number}\n".encode(), b"\n")
        assert response.read() == b""


def test_visitor_gone(app, log):
    """The server notices that a visitor left an endless stream."""
    with asking(app.at("/sse")) as response:
        assert response.readline() == b"data: tick\n"
    app.wait_note("gone sse")
    log.allow(r"AH01225|AH70007|AH01215: .*Broken pipe")


def test_early_answer(app):
    """A server that refuses a large body without reading it is heard."""
    size = 32 << 20
    reply = visit(app.at("/early"), "POST", blocks(size), {"Content-Length": str(size)})
    assert (reply.status, reply.text) == (413, "too large")


def test_early_answer_chunked(app):
    """The same with a body that was spooled."""
    reply = visit(app.at("/early"), "POST", blocks(8 << 20))
    assert (reply.status, reply.text) == (413, "too large")


@pytest.mark.parametrize("size", [1000, 64 << 20])
def test_echo(app, size):
    """A server may answer while it reads."""
    with asking(app.at("/echo"), "POST", blocks(size), {"Content-Length": str(size)}) as response:
        assert joined(response) == (size, digest(size))


def test_http_status_line(app):
    """`HTTP/1.1 201 Created` as first line is a status."""
    reply = visit(app.at("/canned/http"))
    assert (reply.status, reply.text, reply.headers["X-Odd"]) == (201, "made", "yes")


def test_bare_line_feeds(app):
    """Bare line feeds end header lines too."""
    reply = visit(app.at("/canned/bare"))
    assert (reply.status, reply.text, reply.headers["X-Odd"]) == (202, "bare", "yes")


def test_no_status(app):
    """A reply without status is 200."""
    reply = visit(app.at("/canned/silent"))
    assert (reply.status, reply.text) == (200, "fine")


def sockets(app):
    """Every form of address."""
    return [f"unix:{app.folder}/own.sock", "./own.sock", f"@{app.folder}", f"127.0.0.1:{free_port()}", f"[::1]:{free_port()}"]


@pytest.mark.parametrize("form", range(5), ids=["unix", "relative", "abstract", "tcp", "tcp6"])
def test_address(make, form):
    """Every form of address works, and the server is told of it."""
    app = make(text="")
    app.write(start=app.command(), socket=sockets(app)[form])
    assert visit(app.at("/vars")).status == 200
    assert len(app.starts()) == 1


def test_handler(make):
    """An app file anywhere in the document root works with AddHandler."""
    app = make(place="www/app")
    assert vars_of(visit(app.at("/vars/x")))["SCRIPT_NAME"] == app.url


def test_installed(make):
    """A copy of the program takes its app file from beside itself."""
    app = make(name="x.cgi", installed=True)
    assert vars_of(visit(app.at("/vars/x")))["SCRIPT_NAME"] == app.url


def test_keep_alive(app):
    """Several requests on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", app.httpd.port, timeout=30)
    for number in range(5):
        connection.request("POST", app.url + "/echo", str(number))
        assert connection.getresponse().read() == str(number).encode()
    connection.close()
