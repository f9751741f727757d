"""Cold starts met by a herd of threads and processes: as many servers as cold starts."""
import glob
import os
import subprocess

from answer import Fault
from scene import Scene

PROCESSES, THREADS = 8, 8


def campaign(tools):
    """So many cold starts on end, in one scene."""
    rounds = 50 if tools.short else 500
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = tools.build("herd", *sorted(glob.glob(os.path.join(root, "core", "*.c"))))

    def one(scene, count):
        """A number of cold starts, the server killed after each."""
        done = subprocess.run([program, scene.file, str(PROCESSES), str(THREADS), str(count)], capture_output=True, text=True,
                              env=scene.environment("/", None, False), cwd=scene.folder, timeout=600, check=False,
                              user=scene.user, group=scene.user, extra_groups=[] if scene.user else None)
        expected = f"{PROCESSES * THREADS * count} answered, {count} servers, 0 strangers\n"
        if done.stdout != expected or done.stderr:
            raise Fault(f"{done.stdout!r} {done.stderr!r}, not {expected!r}")
        if len(scene.notes("start")) != count:
            raise Fault(f"{len(scene.notes('start'))} servers were started")
        scene.settle(servers=0)
        return f"{count} servers"

    with tools.stage(lambda: Scene(tools, "herd"), workers=1) as stage:
        stage.play(one, [(f"herd of {PROCESSES} x {THREADS}, {rounds} cold starts", rounds)])
