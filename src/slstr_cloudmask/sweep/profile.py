"""A machine as a small file: what a trial is given there, and what its shell needs.

    profile = load_profile("slurm-gpu")          # ships with the package, as an example
    profile = load_profile("our-cluster.yaml")
    profile.command(folder)                      # what runs one trial

No site's names or paths are in the code: they are in such files.
"""

import shlex
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from slstr_cloudmask.errors import MissingFileError
from slstr_cloudmask.validation import read_yaml, validated

PROFILES = Path(__file__).parent / "profiles"
LAUNCHERS = ("here", "local", "slurm", "lsf")
PORT = 29500  # torchrun's own, where several nodes meet


class Profile(BaseModel):
    """What a trial is given.

    Attributes
    ----------
    launcher
        ``here``: in this process; ``local``: processes of this machine; ``slurm``; ``lsf``.
    partition, account, qos
        Where in the queue, and who pays; LSF calls a partition a queue.
    nodes, gpus, cpus, memory
        Nodes of a trial; GPUs, processors and GB of memory of each node.
    processes
        Of training on each node; by default one for each GPU.
    hours
        After which the queue ends a trial; it is then saved, requeued, and goes on.
    workers
        Trials at once.
    modules, setup
        ``module load`` lines, and lines of shell, before a trial starts.
    options
        Further options of the queue by their long names, such as ``constraint: a100``; ``true``
        for one without a value.
    python
        What starts Python, ``singularity exec image.sif python`` say; this one by default.
    device
        Of a trial: ``auto``, ``cpu``, ``cuda``.
    pause
        Seconds between two looks at the queue, which serves others too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    launcher: Literal["here", "local", "slurm", "lsf"] = "here"
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    nodes: int = Field(default=1, ge=1)
    gpus: int = Field(default=0, ge=0)
    cpus: int | None = Field(default=None, ge=1)
    memory: float | None = Field(default=None, gt=0)
    processes: int | None = Field(default=None, ge=1)
    hours: float = Field(default=1.0, gt=0)
    workers: int | None = Field(default=None, ge=1)
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    python: str | None = None
    device: str = "auto"
    pause: float = Field(default=10.0, gt=0)

    @property
    def minutes(self) -> int:
        """The time limit, in whole minutes."""
        return max(1, round(60 * self.hours))

    @property
    def shell(self) -> list[str]:
        """Lines before a trial starts."""
        return [*(f"module load {module}" for module in self.modules), *self.setup]

    def command(self, folder: Path | str, *, meeting_at: str | None = None) -> list[str]:
        """Return the command that runs one trial.

        Parameters
        ----------
        folder
            The trial's.
        meeting_at
            Host where the processes of several nodes meet.
        """
        trial = ["-m", "slstr_cloudmask", "trial", str(folder), "--device", self.device]
        processes = self.processes or max(1, self.gpus)
        python = shlex.split(self.python) if self.python else [sys.executable]
        if processes == self.nodes == 1:
            return [*python, *trial]
        meeting = (
            ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{meeting_at}:{PORT}"]
            if self.nodes > 1
            else ["--standalone"]
        )
        torchrun = ["-m", "torch.distributed.run", "--nnodes", str(self.nodes)]
        return [*python, *torchrun, "--nproc-per-node", str(processes), *meeting, *trial]


def profile_names() -> list[str]:
    """Return the names of the profiles that ship with the package."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def load_profile(name: str | Path) -> Profile:
    """Read a profile by its name or its path.

    Raises
    ------
    MissingFileError
        There is none.
    ConfigError
        Not YAML, an unknown key, or a value that cannot be.
    """
    path = PROFILES / f"{name}.yaml" if str(name) in profile_names() else Path(name)
    if not path.is_file():
        raise MissingFileError(
            f"There is no profile {name}: expected the path of a YAML file, or one of "
            f"{', '.join(profile_names())}."
        )
    content = read_yaml(path, expected="launcher, partition, gpus say")
    return validated(Profile, content, str(path))
