"""SIGKILL at every system call of a start: of the request, the middle process, the starter, the start command; and of those who wait for
their child, at every call of that."""
from answer import Fault
from scene import OTHERS, Scene

ROLES = ("request", "middle", "starter", "command")
MORE = 40   # steps beyond those of the trace: a start that polls takes more of them at times


def set_cold(scene):
    """Nothing was ever started here."""
    scene.wipe()


def set_killed(scene):
    """The server of an earlier start was killed, and its socket is still there."""
    scene.wipe()
    scene.recover()
    scene.settle()
    scene.down()


def set_touched(scene):
    """The server is up, and the app file was touched."""
    scene.wipe()
    scene.recover()
    scene.settle()
    scene.touch()


PLACES = {"cold": (set_cold, "delay=5"), "killed": (set_killed, "delay=5"), "touched": (set_touched, "delay=5 linger=30"),
          "daemon": (set_cold, "delay=5 daemon"), "failing": (set_cold, "exit=3")}
SHORT = {*(("cold", role) for role in ROLES), ("touched", "starter")}
VICTIMS = {("kill", role): role for role in ROLES} | {("orphan", "middle"): "request", ("orphan", "command"): "starter"}


def steps(report, role, short):
    """The steps to try; in the short form of each call on a path the first and the last."""
    calls = [(ordinal, what) for who, ordinal, what, _ in report.calls if who == role]
    end = calls[-1][0] + 1  # which did not return
    if not short:
        return range(1, end + MORE)
    places = {}
    for ordinal, what in [*calls, (end, "the last")]:
        places.setdefault(what, []).append(ordinal)
    return sorted({ordinal for found in places.values() for ordinal in (found[0], found[-1])})


def play(scene, place, action, role, ordinal):
    """Kill `role` at its n-th call, or whoever forked it; how those who came afterwards fared."""
    PLACES[place][0](scene)
    answer, report = scene.step(action, role, "any", ordinal)
    if not report.hits:
        return None
    answers = scene.ask(OTHERS)
    if VICTIMS[action, role] != "request":
        answer.check(scene.file)
    statuses = sorted({each.status for each in answers})
    if place == "failing":
        mend(scene, statuses)
    elif statuses != [200]:
        scene.recover()
    # the record is written by way of one file of a fixed name, which the next start replaces
    scene.settle(leftovers=["app.cgi.state.new"])
    return "then " + ", ".join(map(str, statuses))


def describe(action, role):
    """Who is killed, and when."""
    return role if action == "kill" else f"{VICTIMS[action, role]} at the {role}'s steps"


def mend(scene, statuses):
    """A start command that fails has left nothing, whoever was killed; with a better one all is well."""
    if statuses != [503]:
        raise Fault(f"answered by {statuses}")
    scene.settle(servers=0, leftovers=["app.cgi.state.new"])
    scene.write("delay=5").recover()
    scene.settle()
    scene.write(PLACES["failing"][1])


def campaign(tools):
    """One case for each place, role and step."""
    for place, (prepare, options) in PLACES.items():
        acts = [act for act in VICTIMS if not tools.short or (place, act[1]) in SHORT]
        if not acts:
            continue
        with tools.stage(lambda options=options: Scene(tools, "kills", options)) as stage:
            prepare(stage.first)
            report = stage.first.step()[1]
            stage.play(play, [(f"SIGKILL, {place}, {describe(*act)}", place, *act, ordinal)
                              for act in acts for ordinal in steps(report, act[1], tools.short)])
