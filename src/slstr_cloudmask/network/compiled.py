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
from slstr_cloudmask.network.device import Precision, autocast
from slstr_cloudmask.network.engine import Eager
from slstr_cloudmask.network.unet import UNet

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
        self._programs: dict[Shape, Program] = {}

    def run(self, x_NCHW: Tensor) -> Tensor:
        """Return logits (N, 1, H, W), float32, on the CPU, of normalised channels."""
        shape = tuple(x_NCHW.shape)
        if shape not in self._programs:
            self._programs[shape] = self._program(shape)
        with torch.inference_mode():
            return self._programs[shape](x_NCHW)

    def _program(self, shape: Shape) -> Program:
        """Load or make the program for a shape; what cannot be compiled runs as it is."""
        path = program_path(self.eager, self.checksum, shape)
        if not path.is_file() and not self.make:
            return self.eager.run
        try:
            program = self._loaded(path, shape)
        except FAILURES as error:
            self.make = False
            logger.warning("The network is not compiled, and runs as it is: %s", first_line(error))
            return self.eager.run
        self.name = "compiled"
        return lambda x_NCHW: program(_laid_out(x_NCHW, self.eager.device)).cpu()

    def _loaded(self, path: Path, shape: Shape) -> Program:
        if path.is_file():
            try:
                return _load(path)
            except FAILURES:  # damaged, or of another machine that shares this folder
                if not self.make:
                    raise
        logger.info("Compiling the network for input of %s; kept in %s.", shape, path.parent)
        make_program(self.eager, shape, path)
        return _load(path)


class _Float(nn.Module):
    """A network with its precision around it, logits float32."""

    def __init__(self, network: UNet, device: torch.device, precision: Precision) -> None:
        super().__init__()
        self.network = network
        self.device = device
        self.precision = precision

    def forward(self, x_NCHW: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            logits: Tensor = self.network(x_NCHW)
        return logits.float()


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
    module = _Float(eager.network, eager.device, eager.precision).eval()
    example_NCHW = _laid_out(torch.zeros(shape), eager.device)
    with torch.no_grad(), warnings.catch_warnings(), replacing(path, overwrite=True) as temporary:
        warnings.simplefilter("ignore")  # of the compiler's, about what it does itself
        exported = torch.export.export(module, (example_NCHW,))
        torch._inductor.aoti_compile_and_package(
            exported, package_path=str(temporary), inductor_configs={"freezing": True}
        )


def _load(path: Path) -> Program:
    program: Program = torch._inductor.aoti_load_package(str(path))
    return program


def _laid_out(x_NCHW: Tensor, device: torch.device) -> Tensor:
    return x_NCHW.to(device).contiguous(memory_format=torch.channels_last)
