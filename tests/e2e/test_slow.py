"""Slow visitors and slow servers, at each end of each way: nothing is lost, and nothing is taken for silence."""
import hashlib
import socket
import time
from urllib.parse import quote

import pytest

from app import vars_of
from client import asking, reply_of, visit
from server import STEP, blocks, digest

pytestmark = pytest.mark.usefixtures("unharmed")
BIG = 4 << 20  # more than sockets hold on the way


def slowly(pieces):
    """Yield pieces, slowly."""
    for piece in pieces:
        time.sleep(STEP)
        yield piece


def bytewise(data):
    """Its bytes, one by one."""
    return [data[at:at + 1] for at in range(len(data))]


def connect(app, room=None):
    """A connection of our own to httpd; with little room for what it sends."""
    sock = socket.socket()
    if room:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.settimeout(40)
    sock.connect(("127.0.0.1", app.httpd.port))
    return sock


def test_slow_head(app):
    """A visitor whose request's head comes a few bytes at a time."""
    head = f"GET {app.url}/vars?{'q' * 40} HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\nConnection: close\r\n\r\n".encode()
    with connect(app) as sock:
        for piece in slowly(head[at:at + 20] for at in range(0, len(head), 20)):
            sock.sendall(piece)
        assert b'"HTTP_X_SLOW": "yes"' in reply_of(sock).read()


@pytest.mark.parametrize("path", ["/sink", "/echo"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_slow_body(app, path, chunked):
    """A visitor whose body comes a byte at a time; with a length or in chunks of a byte."""
    data = b"bytewise"
    reply = visit(app.at(path), "POST", slowly(bytewise(data)), {} if chunked else {"Content-Length": str(len(data))})
    if path == "/echo":
        assert reply.body == data
    else:
        assert (reply.json["size"], reply.json["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_slow_to_read(app):
    """A visitor who reads a byte at a time of more than there is room for on the way, then the rest."""
    with connect(app, room=4096) as sock:
        sock.sendall(f"GET {app.url}/source?n={BIG} HTTP/1.0\r\n\r\n".encode())
        slow = b"".join(slowly(sock.recv(1) for _ in range(10)))
        body = (slow + b"".join(iter(lambda: sock.recv(1 << 16), b""))).partition(b"\r\n\r\n")[2]
    assert (len(body), hashlib.sha256(body).hexdigest()) == (BIG, digest(BIG))


@pytest.mark.parametrize("size", [12, BIG])
def test_server_slow_to_read(app, size):
    """A server that takes a body a byte at a time, then the rest."""
    reply = visit(app.at("/sip"), "POST", blocks(size), {"Content-Length": str(size)})
    assert (reply.json["size"], reply.json["sha256"]) == (size, digest(size))
    assert vars_of(reply)["CONTENT_LENGTH"] == str(size)


@pytest.mark.parametrize("head", ["Status: 203\r\n\r\n", "HTTP/1.1 203\n\n"], ids=["cgi", "http"])
def test_slow_server(app, head):
    """A server whose reply comes a byte at a time, head and all."""
    reply = visit(app.at("/drip?reply=" + quote(head + "slow")))
    assert (reply.status, reply.text) == (203, "slow")


def test_slow_bad_head(app, log):
    """A slow head that goes wrong is a 502 like a quick one."""
    reply = visit(app.at("/drip?reply=" + quote("X:\rSet-Cookie:\n")))
    assert reply.status == 502 and "Set-Cookie" not in reply.headers
    log.expect(app.complaint("the reply of the server"), times=1)


def test_all_slow(app):
    """A visitor who sends and reads a byte at a time, and a server that does so."""
    data = b"bytewise"
    drip = "/drip?reply=" + quote("X:\n\n" + "slow" * 2)
    with connect(app) as sock:
        sock.sendall(f"POST {app.url}{drip} HTTP/1.0\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        for byte in slowly(bytewise(data)):
            sock.sendall(byte)
        response = reply_of(sock)
        assert b"".join(slowly(iter(lambda: response.read(1), b""))) == b"slow" * 2


def test_slow_is_not_silent(make):
    """What comes slowly may take longer than the response timeout, whoever of the two is slow."""
    app = make(response_timeout="1500ms")
    steps = int(2 / STEP)
    with connect(app) as sock:
        sock.sendall(f"POST {app.url}/sink HTTP/1.1\r\nHost: x\r\nContent-Length: {steps}\r\nConnection: close\r\n\r\n".encode())
        with asking(app.at("/drip?reply=" + quote("X: y\n\n" + "x" * steps))) as dripping:
            for byte in slowly([b"y"] * steps):
                sock.sendall(byte)
            assert dripping.read() == b"x" * steps
        assert f'"size": {steps},'.encode() in reply_of(sock).read()
    assert len(app.starts()) == 1
