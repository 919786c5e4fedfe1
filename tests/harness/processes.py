"""The processes that belong to a data folder, found in /proc whatever became of their parents."""

import os
import signal

from .poll import until


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _cwd(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def state(pid):
    """The letter of proc(5), or none when the process is gone."""
    stat = _read(pid, "stat").decode(errors="replace")
    return stat.rpartition(")")[2].split()[0] if stat else None


def runs(pid):
    return state(pid) not in (None, "Z")


def parent(pid):
    """The pid of the parent, or none when the process is gone."""
    stat = _read(pid, "stat").decode(errors="replace")
    return int(stat.rpartition(")")[2].split()[1]) if stat else None


def command(pid):
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def of_folder(folder):
    """The pids of all processes started for a data folder.

    Nodes and guards name it on their command line. PostgreSQL's children write their titles over theirs, but
    all work in the folder of their data.
    """
    folder = str(folder)
    needle = folder.encode()
    found = []
    for pid in pids():
        if pid == os.getpid() or not runs(pid):
            continue
        if needle in _read(pid, "cmdline") or _cwd(pid).startswith(folder):
            found.append(pid)
    return found


def postgres_of(folder):
    """The PostgreSQL processes whose data lies under `folder`."""
    return [pid for pid in of_folder(folder) if "postgres" in _read(pid, "comm").decode(errors="replace")]


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill(pid, within=10):
    """Kills a process and waits until it runs no more: until then it cannot be started again."""
    send(pid, signal.SIGKILL)
    until(lambda: not runs(pid), within, f"process {pid} has ended", pause=0.01)


def kill_all(folder, within=20):
    """Kills whatever belongs to a folder until nothing does."""

    def none_left():
        left = of_folder(folder)
        for pid in left:
            send(pid, signal.SIGKILL)
        return not left

    until(none_left, within, f"no process of {folder} is left")
