"""Each system call of a request and of a start fails, once, at each place and with each errno that it may have."""
import errno
import resource
import time

from answer import Fault
from kills import PLACES, set_cold
from scene import ROOT, Scene

DISK = ["EACCES", "EIO"]
SPACE = ["ENOSPC", "EDQUOT"]
TABLES = ["EMFILE", "ENFILE", "ENOMEM"]
# What each call may really give. Not here: calls that can't fail with arguments that are right, and connect's
# EAGAIN, ENOENT and ECONNREFUSED, which say that a server is, or isn't, there.
ERRNOS = {
    "openat": [*TABLES, "ENOSPC", "EINTR", *DISK], "open": [*TABLES, "ENOSPC", "EINTR", *DISK], "read": ["EINTR", "EIO", "ENOMEM"],
    "write": [*SPACE, "EINTR", "EIO"], "writev": [*SPACE, "EIO"], "pwrite64": [*SPACE, "EINTR", "EIO"], "pread64": ["EINTR", "EIO"],
    "close": ["EINTR", "EIO", "ENOSPC"], "fstat": ["ENOMEM", "EIO"], "newfstatat": ["ENOMEM", *DISK], "lstat": ["ENOMEM", *DISK],
    "stat": ["ENOMEM", *DISK], "mkdir": [*SPACE, "EACCES", "EROFS"], "mkdirat": [*SPACE, "EACCES", "EROFS"],
    "mknodat": [*SPACE, "EACCES", "EPERM"], "mknod": [*SPACE, "EACCES", "EPERM"], "unlinkat": ["EROFS", *DISK],
    "unlink": ["EROFS", *DISK], "utimensat": ["EROFS", *DISK], "renameat": [*SPACE, *DISK], "rename": [*SPACE, *DISK], "access": DISK, "faccessat": DISK,
    "flock": ["ENOLCK", "ENOMEM", "EINTR"], "fcntl": ["ENOLCK", "EINTR"], "socket": [*TABLES, "ENOBUFS", "EACCES"],
    "socketpair": [*TABLES, "ENOBUFS"], "connect": ["ENOMEM", "EACCES", "EINTR"], "getsockopt": ["ENOBUFS"],
    "sendmsg": ["ENOMEM", "ENOBUFS", "EINTR"], "sendto": ["ENOMEM", "ENOBUFS", "EINTR"], "recvfrom": ["ENOMEM", "EINTR"],
    "poll": ["ENOMEM", "EINTR"], "ppoll": ["ENOMEM", "EINTR"], "fork": ["EAGAIN", "ENOMEM"], "vfork": ["EAGAIN", "ENOMEM"], "clone": ["EAGAIN", "ENOMEM"],
    "wait4": ["EINTR"], "waitid": ["EINTR"], "dup2": ["EMFILE", "EINTR"], "dup3": ["EMFILE", "EINTR"],
    "close_range": ["ENOSYS", "ENOMEM"], "setsid": ["EPERM"], "prlimit64": ["EPERM"], "chdir": ["ENOMEM", *DISK],
    "execve": ["ENOMEM", "EAGAIN", *DISK], "getcwd": ["ENOMEM"], "mmap": ["ENOMEM"], "brk": ["ENOMEM"],
}
SLOW = ("openat", "renameat", "write", "read", "fstat", "flock", "unlinkat")
BODY = bytes(range(256)) * 1200
SITES = 1  # of one call on one path, in the short form


def set_warm(scene):
    """The server is up."""
    if not scene.servers():
        scene.recover()
        scene.settle()


PATHS = {
    "healthy": (set_warm, {}), "chunked body": (set_warm, {"body": BODY, "chunked": True}),
    "kept reply": (set_warm, {"path": "/echo", "body": BODY}),
    **{place: (PLACES[place][0], {}) for place in ("cold", "touched")},
}


def sites(report, short):
    """The places to try: role, call, its how-manieth; in the short form a few of each call on each path."""
    counts, seen = {}, {}
    for role, _, what, _ in report.calls:
        call = what.split(" ")[0]
        nth = counts[role, call] = counts.get((role, call), 0) + 1
        seen[role, what] = seen.get((role, what), 0) + 1
        if call in ERRNOS and (not short or seen[role, what] <= SITES):
            yield role, call, nth
    if ("command", "execve") not in counts and "command" in {role for role, *_ in report.calls}:
        yield "command", "execve", 1  # which did not return


def prepared(scene, path):
    """Make the scene ready for a request on a path; what is asked for."""
    PATHS[path][0](scene)
    return PATHS[path][1]


def is_mute(role, what):
    """Whether the call is the request's own last word, or the visitor's."""
    return role == "request" and what in ("write 1", "write 2", "read 0")


def expect_body(answer, path="/", **request):
    """Fail if a good answer isn't whole, unless the log says so."""
    if answer.status == 200 and path == "/echo" and answer.body != BODY and not answer.log:
        raise Fault(f"a reply of {len(answer.body)} bytes instead of {len(BODY)}")
    if answer.status == 200 and path != "/echo" and len(answer.body.split()) != 3:
        raise Fault(f"a cut reply: {answer.body!r}")


def come_back(scene, answer):
    """The next request, without faults: it succeeds, once the owner has touched the file if a start has failed."""
    following = scene.ask()[0]
    if following.status == 503 and answer.status == 503:
        following = scene.recover()
    scene.expect_up(following)
    scene.settle()
    return str(answer.status) if answer.out else "no answer"


def play_fault(scene, path, role, call, nth, name):
    """One call that fails."""
    request = prepared(scene, path)
    answer, report = scene.step("fail", role, call, nth, getattr(errno, name), **request)
    if not report.hits:
        return None
    if not is_mute(role, report.hits[0][2]):
        answer.check(scene.file)
        expect_body(answer, **request)
    return come_back(scene, answer)


def play_storm(scene, path, seed):
    """Half of the calls that may sleep are interrupted."""
    request = prepared(scene, path)
    answer, report = scene.step("storm", nth=seed, value=errno.EINTR, **request)
    if len(report.hits) < 3:
        raise Fault("nothing was interrupted")
    answer.check(scene.file)
    expect_body(answer, **request)
    return come_back(scene, scene.expect_up(answer))


def play_delay(scene, path, role, call, nth, ms):
    """A disk that takes its time, at one call or at all."""
    request = prepared(scene, path)
    answer, report = scene.step("delay", role, call, nth, ms, **request)
    if not report.hits:
        return None
    answer.check(scene.file)
    expect_body(answer, **request)
    return come_back(scene, scene.expect_up(answer))


def play_limit(scene, path, limit, most):
    """A limit of the system's, for all of the request and the start."""
    request = prepared(scene, path)
    answer = scene.ask(limits=lambda: resource.setrlimit(limit, (most, resource.getrlimit(limit)[1])), **request)[0]
    expect_body(answer, **request)
    return come_back(scene, answer)


def play_back_off(scene, role, call):
    """A start that has failed: the next is due when Retry-After says so, and no sooner."""
    set_cold(scene)
    answer = scene.step("fail", role, call, 1, errno.EAGAIN)[0].check(scene.file)
    early = scene.ask()[0]
    if (answer.status, early.status) != (503, 503):
        raise Fault(f"{answer.status}, then {early.status}")
    time.sleep(early.retry_after)
    scene.expect_up(scene.ask()[0])
    scene.settle()
    return "503, then 200 when it was due"


def limits():
    """Limits to try: the descriptors and, for a user who has nothing else running, the processes there may be."""
    for most in range(3, 16):
        yield "RLIMIT_NOFILE", resource.RLIMIT_NOFILE, most
    if ROOT:
        for most in range(1, 6):
            yield "RLIMIT_NPROC", resource.RLIMIT_NPROC, most


def fork_of(report, role):
    """The system call by which such a process makes others here."""
    return next(what for who, _, what, _ in report.calls if who == role and what in ("clone", "fork", "vfork", "clone3"))


def campaign(tools):
    """Every path, site and errno; then storms, slow disks, and limits that are real."""
    for path in PATHS:
        with tools.stage(lambda: Scene(tools, "faults", "delay=5 linger=10")) as stage:
            report = stage.first.step(**prepared(stage.first, path))[1]
            all_sites = list(sites(report, tools.short))
            stage.play(play_fault, [
                (f"{call}: {name}", path, role, call, nth, name) for role, call, nth in all_sites
                for name in ([ERRNOS[call][nth % len(ERRNOS[call])]] if tools.short else ERRNOS[call])])
            stage.play(play_storm, [(f"storm of EINTR, {path}", path, seed) for seed in range(1 if tools.short else 50)])
            stage.play(play_delay, [(f"disk 20 ms slower, {path}", path, "-", "disk", 0, 20)])
            if not tools.short:
                stage.play(play_delay, [(f"{call}: takes 1 s longer", path, role, call, nth, 1000)
                                        for role, call, nth in all_sites if call in SLOW])
            if path == "cold" or not tools.short:
                stage.play(play_limit, [(f"{name} of {most}", path, limit, most) for name, limit, most in limits()])
            if path == "cold":
                stage.play(play_back_off, [("starter fails to fork, and no touch", "starter", fork_of(report, "starter"))])
    if not ROOT:
        tools.score.skip("RLIMIT_NPROC", "only root can be another user, who has no other processes")
