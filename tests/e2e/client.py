"""A visitor."""
import contextlib
import http.client
import itertools
import json
import socket
import string
import threading

# Ten thousand headers of these take less than the 64 KiB that a reply's head may have.
MANY_NAMES = ["".join(letters) for letters in itertools.islice(itertools.product(string.ascii_lowercase, repeat=3), 10_000)]


class Reply:
    """What a visitor got."""

    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def text(self):
        """The body as text."""
        return self.body.decode("latin-1")

    @property
    def json(self):
        """The body as data."""
        return json.loads(self.body)


@contextlib.contextmanager
def asking(where, method="GET", body=None, headers=None, timeout=40):
    """Send a request and give the unread response; a body that is an iterator goes in chunks."""
    port, path = where
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, {"Connection": "close", **(headers or {})})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def visit(where, method="GET", body=None, headers=None):
    """Send a request and return the whole reply."""
    with asking(where, method, body, headers) as response:
        return Reply(response)


def raw(port, data):
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=40) as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def reply_of(sock):
    """The unread reply that comes over a connection."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response


def visit_raw(port, data):
    """Send bytes and return the reply."""
    with socket.create_connection(("127.0.0.1", port), timeout=40) as sock:
        sock.sendall(data)
        return Reply(reply_of(sock))


class Later(threading.Thread):
    """A visit that goes on meanwhile; `reply` waits for it."""

    def __init__(self, *args, **kwargs):
        super().__init__(daemon=True)
        self.request, self.result, self.error = (args, kwargs), None, None
        self.start()

    def run(self):
        """Visit."""
        try:
            self.result = visit(*self.request[0], **self.request[1])
        except Exception as error:
            self.error = error

    @property
    def reply(self):
        """The reply, waited for."""
        self.join(60)
        if self.error:
            raise self.error
        assert self.result, "no reply within 60 s"
        return self.result
