"""What lies in the state folder is deleted, damaged or taken away, before a start and during one."""
import os

from answer import Fault
from kills import ROLES, steps
from scene import OTHERS, ROOT, Scene, delete, wait_until


def missing(scene, path):
    """Gone."""
    delete(path)


def put(scene, path, bytes_, mode=0o600):
    """A file of ours with these bytes."""
    delete(path)
    with open(path, "wb") as file:
        file.write(bytes_)
    os.chmod(scene.give(path), mode)


def truncate(scene, path):
    """Empty."""
    put(scene, path, b"")


def noise(scene, path):
    """Bytes that mean nothing."""
    put(scene, path, os.urandom(20_000))


def lies(scene, path):
    """A record of nobody, in the right form."""
    put(scene, path, b"outcome = starting\npid = 1\nprocess-start = 1\nstarted = 99999999999\nnext-start = 99999999999\n")


def link(scene, path):
    """A link to a file of ours elsewhere."""
    target = os.path.join(scene.folder, "target")
    put(scene, target, b"target\n", 0o644)
    delete(path)
    os.symlink(target, path)
    scene.give(path)


def dangle(scene, path):
    """A link to nowhere."""
    delete(path)
    os.symlink(os.path.join(scene.folder, "nowhere"), path)
    scene.give(path)


def folder(scene, path):
    """A folder with something in it."""
    delete(path)
    os.mkdir(path)
    put(scene, os.path.join(path, "file"), b"")
    scene.give(path)


def fifo(scene, path):
    """A pipe."""
    delete(path)
    os.mkfifo(path, 0o600)
    scene.give(path)


def unreadable(scene, path):
    """A file that its owner may not even read."""
    if os.path.lexists(path):
        os.chmod(path, 0)
    else:
        put(scene, path, b"", 0)


def foreign(scene, path):
    """Another user's, for nobody else."""
    put(scene, path, b"foreign\n")
    os.chown(path, 1, 1)


MISCHIEF = [missing, truncate, noise, lies, link, dangle, folder, fifo, unreadable, foreign]
FILES = ["lock", "state", "state.new", "wait", "log", "sock", ".htaccess"]

# What can't be served, by the file and what was done to it, and the line for the owner; all else is. Of a
# link, a folder or another's file in the place of the lock or the log nothing good can be made.
BARRED = {
    "lock": ([link, dangle, folder, unreadable, foreign], 500, "the lock app.cgi.lock in the state folder can't be taken"),
    "state": ([folder], 500, "the state can't be written in "),
    "state.new": ([folder], 500, "the state can't be written in "),
    "log": ([link, dangle, folder, fifo, unreadable, foreign], 503, "the log can't be opened: "),
    "sock": ([truncate, noise, lies, folder, fifo, unreadable, foreign], 502, " can't be reached: "),
}


def is_barred(name, do):
    """Whether nothing can be served then."""
    return name in BARRED and do in BARRED[name][0]


def judge(scene, name, do, answers, served):
    """Fail unless the answers are as they should be; `served`: some may have come through."""
    statuses = {answer.status for answer in answers}
    if is_barred(name, do):
        _, status, line = BARRED[name]
        if not statuses <= ({200, status} if served else {status}):
            raise Fault(f"answered by {statuses} {[answer.log for answer in answers]}")
        for answer in answers:
            if answer.status != 200 and line not in answer.log[0]:
                raise Fault(f"the log should say {line!r}: {answer.log}")
    elif statuses != {200}:
        raise Fault(f"answered by {statuses} {[answer.log for answer in answers]}")
    target = os.path.join(scene.folder, "target")
    if os.path.exists(target):
        with open(target, "rb") as file:
            if file.read() != b"target\n":
                raise Fault("a link was followed")
    return ", ".join(map(str, sorted(statuses)))


def mend(scene, name):
    """The owner removes what was in the way: then all is well."""
    if name != "sock" or not scene.servers():
        delete(scene.path(name))
    scene.recover()
    scene.settle()
    with open(scene.path(".htaccess")) as file:
        if name == ".htaccess" and "Require all denied" not in file.read():
            raise Fault("the state folder is not kept from visitors")


def before(scene, name, do):
    """Mischief before a start: the server was killed, as ever."""
    scene.wipe()
    scene.recover()
    scene.settle()
    scene.down()
    do(scene, scene.path(name))
    outcome = judge(scene, name, do, scene.ask(OTHERS), False)
    mend(scene, name)
    return outcome


def during(scene, name, do):
    """Mischief while the server is on its way."""
    scene.wipe()
    begun = [scene.begin()]
    wait_until(lambda: scene.notes("start"), what="the start")
    do(scene, scene.path(name))
    begun += [scene.begin() for _ in range(OTHERS)]
    scene.give_time(begun)
    scene.open_gate()
    outcome = judge(scene, name, do, [scene.finish(process).check(scene.file) for process in begun], True)
    mend(scene, name)
    return outcome


def at_a_step(scene, names, role, ordinal):
    """Files vanish while all processes of the first request stand still at one system call; others come meanwhile."""
    begun = []

    def vanish():
        """The mischief."""
        for name in names:
            delete(scene.path(name) if name else scene.state_folder)
        begun.extend(scene.begin() for _ in range(OTHERS))
        scene.give_time(begun)

    scene.wipe()
    answer, report = scene.step("hold", role, "any", ordinal, while_held=vanish)
    if not report.hits:
        return None
    answers = [answer] + [scene.finish(process) for process in begun]
    statuses = sorted({each.check(scene.file).status for each in answers})
    scene.recover()
    scene.settle()
    return ", ".join(map(str, statuses))


VANISH = {"lock": ["lock"], "state": ["state"], "lock and state": ["lock", "state"], "state folder": [""]}
SHORT = ("lock", "state folder")


def campaign(tools):
    """All of them."""
    mischief = [do for do in MISCHIEF if ROOT or do is not foreign]
    cases = [(name, do) for name in FILES for do in mischief]
    with tools.stage(lambda: Scene(tools, "files", "delay=2")) as stage:
        stage.play(before, [(f"{name}, before a start", name, do) for name, do in cases])
    if not ROOT:
        tools.score.skip("files of another user", "only root can make them")
    with tools.stage(lambda: Scene(tools, "files", "gate")) as stage:
        stage.play(during, [(f"{name}, during a start", name, do) for name, do in cases if not tools.short or name in ("lock", "state")])
    with tools.stage(lambda: Scene(tools, "files", "delay=20", socket="./run.sock")) as stage:
        report = stage.first.step()[1]
        stage.play(at_a_step, [(f"{what} deleted, {role}", names, role, ordinal) for what, names in VANISH.items()
                               if not tools.short or what in SHORT
                               for role in ROLES for ordinal in steps(report, role, tools.short)])
