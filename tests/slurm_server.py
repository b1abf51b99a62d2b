"""A Slurm of one node on the loopback, for tests: munged, slurmctld and slurmd in a folder of /tmp.

with slurm_server() as environment:
    subprocess.run(["sinfo"], env=os.environ | environment)
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
READY_S, ENDING_S = 60, 20

CONFIGURATION = """
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
KillWait=5
NodeName={node} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Return why no Slurm can be started here, or None."""
    if missing := [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]:
        return f"Slurm is not installed: no {', '.join(missing)} (slurmctld, slurmd, munge)"
    return None if os.geteuid() == 0 else "only root can start a Slurm"


@contextmanager
def slurm_server() -> Iterator[dict[str, str]]:
    """Start a Slurm; give the environment in which its commands find it, and end it after."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: a socket's path is
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        node = socket.gethostname().split(".")[0]
        ports = {"port": _free_port(), "node_port": _free_port()}
        text = CONFIGURATION.format(folder=folder, node=node, **ports)
        (folder / "slurm.conf").write_text(text)
        environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": PATH}
        munge = folder / "munge"
        files = [f"--{name}-file={munge / name}" for name in ("key", "pid", "seed", "log")]
        socket_option = f"--socket={munge / 'socket'}"
        _start(stack, folder, environment, "munged", "-F", "--force", socket_option, *files)
        _wait(lambda: (munge / "socket").exists(), folder)
        _start(stack, folder, environment, "slurmctld", "-D", "-c")
        _start(stack, folder, environment, "slurmd", "-D")
        _wait(lambda: "idle" in _ask(environment, "sinfo", "--noheader", "--format=%T"), folder)
        # Jobs that a failed test left are ended before the daemons that know them.
        stack.callback(_end_jobs, environment)
        yield environment


def _start(stack: ExitStack, folder: Path, environment: dict[str, str], *command: str) -> None:
    with (folder / f"{command[0]}.out").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | environment, cwd=folder
        )
    stack.callback(_end, process)


def _end_jobs(environment: dict[str, str]) -> None:
    until = time.monotonic() + ENDING_S
    while _ask(environment, "squeue", "--noheader") and time.monotonic() < until:
        _ask(environment, "scancel", "--user=root")
        time.sleep(0.5)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(ready: Callable[[], bool], folder: Path) -> None:
    until = time.monotonic() + READY_S
    while not ready():
        if time.monotonic() > until:
            logs = "\n".join(path.read_text()[-1000:] for path in folder.glob("*.out"))
            raise AssertionError(f"Slurm does not come up:\n{logs}")
        time.sleep(0.2)


def _ask(environment: dict[str, str], *command: str) -> str:
    answer = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    return answer.stdout


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
