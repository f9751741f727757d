"""What comes out of one run of the CGI program, and of step.c around it."""
import re

DOCUMENTED = {200, 400, 413, 500, 502, 503, 504}


class Fault(Exception):
    """A promise that was broken."""


class Answer:
    """What a visitor got from one run of the CGI program, and what the owner's log got."""

    def __init__(self, out, log):
        head, _, self.body = out.partition(b"\n\n")
        self.out, self.log = out, log.decode("utf-8", "replace").splitlines()
        found = re.match(rb"Status: (\d+)", head)
        self.status = int(found[1]) if found else 200 if head.startswith(b"Content-Type: ") else 0
        found = re.search(rb"^Retry-After: (\d+)$", head, re.M)
        self.retry_after = int(found[1]) if found else 0

    def check(self, app_file):
        """Fail unless this is an answer as documented: a reply and a silent log, or a page and one line for the owner."""
        if self.status not in DOCUMENTED:
            raise Fault(f"no documented answer: {self.out[:80]!r}, log {self.log}")
        lines = [line for line in self.log if not line.startswith(f"lazyscgi: {app_file}: ")]
        if lines:
            raise Fault(f"a strange line in the log: {lines}")
        if self.status != 200 and len(self.log) != 1:
            raise Fault(f"{len(self.log)} log lines instead of one for a {self.status}: {self.log}")
        if self.status == 503 and self.retry_after < 1:
            raise Fault(f"a 503 without Retry-After: {self.log}")
        return self


class Report:
    """What step.c saw: the calls of each role, and what was done."""

    def __init__(self, text):
        self.calls, self.hits = [], []
        for line in text.splitlines():
            word, role, *rest = line.split(" ")
            if word == "call":
                self.calls.append((role, int(rest[0]), " ".join(rest[1:-1]), int(rest[-1])))
            elif word == "hit":
                self.hits.append((role, int(rest[0]), " ".join(rest[1:])))
