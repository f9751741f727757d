"""Servers that mean harm: what they answer can't become more, or other, than one reply."""
import http.client
from urllib.parse import quote

import pytest

from app import App
from client import MANY_NAMES, raw, visit

pytestmark = pytest.mark.usefixtures("unharmed")
SECOND = "/say?reply=" + quote("Content-Type: text/plain\n\nthe second")


@pytest.fixture(scope="module")
def app(httpd, binary):
    """One app for all of these."""
    app = App(httpd, binary, "cgi-bin/replies")
    yield app.write(start=app.command())
    app.clean()


@pytest.fixture(autouse=True)
def checked(log):
    """The error log has what was expected, and nothing else."""
    yield
    log.check()


class Two:
    """Two requests over one connection: the first for a reply of the server's choice."""

    def __init__(self, app, reply):
        app.make("reply", reply)
        connection = http.client.HTTPConnection("127.0.0.1", app.httpd.port, timeout=40)
        try:
            connection.request("GET", app.url + "/file")
            with connection.getresponse() as response:
                self.status, self.headers, self.body = response.status, response.headers, response.read()
            # http.client connects anew only if the first reply said that it is the last
            connection.request("GET", app.url + SECOND)
            with connection.getresponse() as response:
                assert (response.status, response.read()) == (200, b"the second")
        finally:
            connection.close()


BAD = {
    "carriage return": "X: a\rSet-Cookie: evil=1\n\n",
    "NUL": "X: a\0Set-Cookie: evil=1\n\n",
    "folded": "X: a\n Set-Cookie: evil=1\n\n",
    "escape": "X: \x1b[2J\n\n",
    "delete": "X: \x7f\n\n",
    "two returns": "X: y\r\r\nSet-Cookie: evil=1\n\n",
    "status with a return": "Status: 200 OK\rSet-Cookie: evil=1\n\n",
    "line with a return": "HTTP/1.1 200 OK\rSet-Cookie: evil=1\n\n",
    "100": "Status: 100 Continue\n\nHTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\n\r\n",
    "HTTP 100": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\n\r\n",
    "101": "Status: 101 Switching Protocols\nUpgrade: evil\n\n",
    "large head": "X: " + "y\nX: y" * 20_000 + "\n\n",
    "large header": "X: " + "y" * (1 << 20) + "\n\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad(app, log, name):
    """What is no CGI response is a 502; the visitor gets nothing of it, and can go on."""
    reply = Two(app, BAD[name])
    assert reply.status == 502 and b"makes no sense" in reply.body
    assert not {"X", "Set-Cookie", "Upgrade"} & set(reply.headers)
    log.expect(app.complaint("the reply of the server"), times=1)


@pytest.mark.parametrize("length", [8185, 8190, 16380])
def test_long_line(app, log, length):
    """A line that is too long for httpd is an error of its own; its end never becomes a header."""
    reply = Two(app, "X: " + "y" * (length - 3) + "Set-Cookie: evil=1\nContent-Type: text/plain\n\nbody")
    assert reply.status == (502 if app.httpd.is_module else 500) and "Set-Cookie" not in reply.headers
    log.expect("end of script headers|End of script output")
    log.allow(app.complaint())


ODD = {
    "chunks": ("Transfer-Encoding: chunked\n", "4\r\nbody\r\n0\r\n\r\n", ["4\r\nbody\r\n0\r\n\r\n"]),
    "no chunks": ("Transfer-Encoding: chunked\n", "body", ["body"]),
    "chunks and a length": ("Transfer-Encoding: gzip, chunked\nContent-Length: 4\n", "bodyHTTP/1.1 200 OK\r\n\r\n", ["body", "bodyHTTP/1.1 200 OK\r\n\r\n"]),
    "body longer than said": ("Content-Length: 2\n", "body", ["bo", "body"]),
    "two lengths": ("Content-Length: 4\nContent-Length: 2\n", "body", ["bo", "body"]),
    "negative length": ("Content-Length: -4\n", "body", ["body"]),
    "list of lengths": ("Content-Length: 4, 4\n", "body", ["body"]),
    "hexadecimal length": ("Content-Length: 0x2\n", "body", ["body"]),
    "length beyond numbers": ("Content-Length: 99999999999999999999\n", "body", ["body"]),
    "a head in the body": ("", "HTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\n\r\n", ["HTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\n\r\n"]),
    "last chunk in the body": ("", "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ["0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"]),
}


@pytest.mark.parametrize("name", ODD)
def test_framing(app, name):
    """Whatever a server says of its body's length and form, httpd says where it ends."""
    headers, body, results = ODD[name]
    reply = Two(app, f"Content-Type: text/plain\n{headers}\n{body}")
    assert reply.status == 200 and reply.body.decode() in results


@pytest.mark.parametrize("status", [204, 304])
def test_no_body(app, status):
    """A reply that has no body has none."""
    reply = Two(app, f"Status: {status}\nX: y\n\nHTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\n\r\n")
    assert (reply.status, reply.body, reply.headers["X"]) == (status, b"", "y")


def test_many_headers(app):
    """Ten thousand headers pass."""
    app.make("reply", "".join(f"{name}:\n" for name in MANY_NAMES) + "\nbody")
    head, _, body = raw(app.httpd.port, f"GET {app.url}/file HTTP/1.0\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and body == b"body"
    assert {f"{name}: ".encode() for name in MANY_NAMES} <= set(head.split(b"\r\n"))


def test_several_status(app):
    """The last of several statuses counts, as in httpd."""
    assert Two(app, "Status: 200 OK\nStatus: 404 Not Found\nContent-Type: text/plain\n\nbody").status == 404


def test_odd_reason(app):
    """A status that no standard has is passed on."""
    assert visit(app.at("/say?reply=" + quote("Status: 299 <b>\xff\n\n"))).status == 299
