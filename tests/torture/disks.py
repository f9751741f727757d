"""The state folder itself can't be used, or its disk is full or read-only, before a start."""
import contextlib
import os
import subprocess

from answer import Fault
from scene import OTHERS, ROOT, Scene, delete


def a_file(scene, path):
    """No folder at all."""
    with open(path, "w"):
        pass
    scene.give(path)


def writable_by_all(scene, path):
    """Others may write."""
    os.mkdir(path)
    os.chmod(scene.give(path), 0o777)


def read_only(scene, path):
    """Even its owner may not write."""
    os.mkdir(path)
    os.chmod(scene.give(path), 0o555)


def barred(scene, path):
    """Even its owner may not enter."""
    os.mkdir(path)
    os.chmod(scene.give(path), 0)


def foreign_folder(scene, path):
    """Another user's."""
    os.mkdir(path, 0o777)
    os.chown(path, 1, 1)


def linked_folder(scene, path):
    """A link to a folder of ours."""
    target = os.path.join(scene.folder, "target")
    os.mkdir(target)
    scene.give(target)
    os.symlink(target, path)
    scene.give(path)


def of_the_parent(scene, path):
    """There is none, and none can be made."""
    os.chmod(scene.folder, 0o555)


# What may be wrong with the state folder, and what the log says.
FOLDERS = {a_file: "is a link or no folder", linked_folder: "is a link or no folder", writable_by_all: "can be written by others",
           read_only: "can't be taken", barred: "can't be opened", foreign_folder: "belongs to another user",
           of_the_parent: "can't be made"}


def bad_folder(scene, do):
    """A state folder that can't be used: an error that names what to do, and nothing starts; then the owner mends it."""
    scene.wipe()
    do(scene, scene.state_folder)
    for answer in scene.ask(OTHERS):
        if answer.status != 500 or FOLDERS[do] not in answer.log[0]:
            raise Fault(f"{answer.status} {answer.log}")
    if scene.notes("start"):
        raise Fault("a server was started")
    os.chmod(scene.folder, 0o755)
    delete(scene.state_folder)
    delete(os.path.join(scene.folder, "target"))
    scene.expect_up(scene.ask()[0])
    scene.settle()
    return "500"


@contextlib.contextmanager
def mounted(path, options):
    """A file system of its own at a path."""
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield
    finally:
        # lazily: a process may be about to end that has something open there
        subprocess.run(["umount", "-l", path], check=True)


def fill(path):
    """Leave no byte free."""
    with contextlib.suppress(OSError), open(os.path.join(path, "full"), "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def full_disk(scene, what, when):
    """No space, no inode, or no writing at all, where the state is kept; an error, and nothing runs without a record."""
    scene.wipe()
    owner = f"uid={scene.user},gid={scene.user},mode=700"
    with mounted(scene.state_folder, f"size=64k,nr_inodes={12 if what == 'no inode' else 100},{owner}"):
        if when == "later":
            scene.recover()
            scene.settle()
            scene.down()
        if what == "no space":
            fill(scene.state_folder)
        elif what == "no inode":
            with contextlib.suppress(OSError):
                for number in range(100):
                    os.mkdir(os.path.join(scene.state_folder, str(number)))
        else:
            subprocess.run(["mount", "-o", "remount,ro", scene.state_folder], check=True)
        answers = scene.ask(OTHERS)
        statuses = sorted({answer.status for answer in answers})
        # the old socket's inode may be enough
        allowed = {200, 500} if what == "no inode" and when == "later" else {500}
        if not set(statuses) <= allowed or any("errno 28" not in line and "errno 30" not in line for each in answers for line in each.log):
            raise Fault(f"{statuses} {[answer.log for answer in answers]}")
        if len(scene.notes("start")) != (when == "later") + (200 in statuses):
            raise Fault("a server was started")
        subprocess.run(["mount", "-o", "remount,rw", scene.state_folder], check=True)
        for name in os.listdir(scene.state_folder):
            if name == "full" or name.isdigit():
                delete(os.path.join(scene.state_folder, name))
        scene.recover()
        scene.settle()
        scene.down()
    return ", ".join(map(str, statuses))


def full_tmpdir(scene):
    """No space for a body that has to be kept."""
    scene.wipe()
    with mounted(scene.tmp, f"size=64k,uid={scene.user},gid={scene.user}"):
        answer = scene.ask(body=bytes(300_000), chunked=True)[0]
        if answer.status != 500 or "errno 28" not in answer.log[0] or os.listdir(scene.tmp):
            raise Fault(f"{answer.status} {answer.log} {os.listdir(scene.tmp)}")
        scene.recover()
        scene.settle()
    return "500"


def campaign(tools):
    """All of them."""
    with tools.stage(lambda: Scene(tools, "disks", "delay=2")) as stage:
        stage.play(bad_folder, [("state folder, before a start", do) for do in FOLDERS if ROOT or do is not foreign_folder])
        if not ROOT:
            tools.score.skip("folders of another user, full and read-only disks", "only root can make them")
            return
        stage.play(full_disk, [(f"{what}, before a start", what, when)
                               for what in ("no space", "no inode", "read-only disk") for when in ("first", "later")])
        stage.play(full_tmpdir, [("no space in TMPDIR",)])
