"""A network compiled to a program for this machine, kept for the next process.

    engine = Compiled(eager, model.checksum, make=True)

PyTorch's compiler fuses what follows a convolution into it and folds the weights in. A program is
for one shape of input; it lies in the user's cache folder, named by all that it depends on, and is
loaded in a fraction of a second. Where no C++ compiler is at hand, or whatever else goes wrong,
the network runs as it is, and one warning says so.
"""

import logging
import platform
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import CloudMaskError
from slstr_cloudmask.network.cache import cache_path
from slstr_cloudmask.network.engine import Eager

logger = logging.getLogger(__name__)

# What the compiler and the loader raise, whose own errors are subclasses of these.
COMPILER_FAILURES = (RuntimeError, OSError, ValueError, AssertionError, ImportError)
FAILURES = (CloudMaskError, *COMPILER_FAILURES)

Program = Callable[[Tensor], Tensor]
Shape = tuple[int, ...]


class Compiled:
    """Runs programs of a network.

    Parameters
    ----------
    eager
        The network as it is; what no program is there for runs with it.
    checksum
        Of its weights.
    make
        Make programs that are not there yet.
    """

    def __init__(self, eager: Eager, checksum: str, *, make: bool) -> None:
        self.name = eager.name  # until a program has run
        self.eager = eager
        self.checksum = checksum
        self.make = make
        self.stride, self.halo = eager.stride, eager.halo
        self.strip_rows = 400 if eager.device.type == "cpu" else None
        self.patches_at_once = eager.patches_at_once
        self._programs: dict[Shape, Program] = {}

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        return self.on_device(self.eager.brought(x_NCHW)).cpu()

    def on_device(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, where the channels are."""
        shape = tuple(x_NCHW.shape)
        if shape not in self._programs:
            self._programs[shape] = self._program(shape)
        try:
            with torch.inference_mode():
                return self._programs[shape](x_NCHW)
        except RuntimeError as error:  # which does not tell memory that is full from the rest
            if self._programs[shape] == self.eager.on_device:
                raise
            self._programs[shape] = self._as_it_is(error)
        return self.eager.on_device(x_NCHW)

    def _program(self, shape: Shape) -> Program:
        """Load or make the program for a shape; what cannot be compiled runs as it is."""
        path = program_path(self.eager, self.checksum, shape)
        if not path.is_file() and not self.make:
            return self.eager.on_device
        try:
            program = self._loaded(path, shape)
        except FAILURES as error:
            self.make = False
            return self._as_it_is(error)
        self.name = "compiled"
        return program

    def _as_it_is(self, error: Exception) -> Program:
        logger.warning("The network is not compiled, and runs as it is: %s", first_line(error))
        self.name = self.eager.name
        return self.eager.on_device

    def _loaded(self, path: Path, shape: Shape) -> Program:
        if path.is_file():
            try:
                return _load(path, self.eager.device)
            except FAILURES:  # damaged, or of another machine that shares this folder
                if not self.make:
                    raise
        logger.info("Compiling the network for input of %s; kept in %s.", shape, path.parent)
        make_program(self.eager, shape, path)
        return _load(path, self.eager.device)


class _Logits(nn.Module):
    """A network as an engine runs it, in the form that the compiler takes."""

    def __init__(self, eager: Eager) -> None:
        super().__init__()
        self.network = eager.network
        self._eager = eager

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self._eager.logits(x_NCHW)


def first_line(error: Exception) -> str:
    """Say what the compiler's long story is about."""
    return (str(error) or type(error).__name__).split("\n")[0]


def program_path(eager: Eager, checksum: str, shape: Shape) -> Path:
    """Where the program of a network for a shape lies, whether it is there or not."""
    depends_on = (
        checksum,
        shape,
        eager.precision,
        eager.device.type,
        torch.cuda.get_device_name(eager.device) if eager.device.type == "cuda" else "",
        platform.machine(),
        torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
    )
    return cache_path(depends_on, ".pt2")


def make_program(eager: Eager, shape: Shape, path: Path) -> None:
    """Compile a network for a shape of input.

    Raises
    ------
    WriteError
        The program could not be written.
    RuntimeError
        It could not be compiled.
    """
    module = _Logits(eager).eval()
    example_NCHW = eager.brought(torch.zeros(shape))
    with torch.no_grad(), warnings.catch_warnings(), replacing(path, overwrite=True) as temporary:
        warnings.simplefilter("ignore")  # of the compiler's, about what it does itself
        exported = torch.export.export(module, (example_NCHW,))
        torch._inductor.aoti_compile_and_package(
            exported, package_path=str(temporary), inductor_configs={"freezing": True}
        )


def _load(path: Path, device: torch.device) -> Program:
    which = -1 if device.index is None else device.index
    program: Program = torch._inductor.aoti_load_package(str(path), device_index=which)
    return program
