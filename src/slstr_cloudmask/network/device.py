"""Which device and which precision the network runs on, and when its memory is full."""

import logging
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from slstr_cloudmask.errors import InputError

logger = logging.getLogger(__name__)

Precision = Literal["fp32", "bf16"]

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16")

# How memory of the host that cannot be had is said where no class of its own says it: by PyTorch
# (c10/core/impl/alloc_cpu.cpp), by the C++ library under OpenVINO, by ONNX Runtime.
OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "Failed to allocate memory",
)


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is the fastest that is there.

    Raises
    ------
    InputError
        No such device on this machine.
    """
    cuda, why = _cuda()
    available = {"cuda": cuda, "mps": torch.backends.mps.is_available()}
    if name == "auto":
        if why:
            logger.warning("The GPU is not used: %s", why)
        return torch.device(next((kind for kind, there in available.items() if there), "cpu"))
    kind = name.split(":")[0]
    if kind not in DEVICES:
        raise InputError(f"Unknown device {name!r}: expected one of {', '.join(DEVICES)}.")
    if not available.get(kind, True):
        found = f"it cannot be used: {why}" if why and kind == "cuda" else "this machine has none."
        raise InputError(f"Device {name!r} was asked for and {found} Use cpu.")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError(f"Device {name!r} is not understood: expected cuda:1, say.") from error


def _cuda() -> tuple[bool, str]:
    """Whether there is a GPU that can be used, and PyTorch's reason if it found one that cannot.

    Of a driver that is too old, say, PyTorch warns, and counts the GPU as not there.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    return there, "" if there else " ".join(str(warning.message) for warning in said)


def resolve_precision(name: str, device: torch.device) -> Precision:
    """Return ``fp32`` or ``bf16``; ``auto`` is bf16 where the device multiplies it in hardware.

    Raises
    ------
    InputError
        Not one of ``PRECISIONS``.
    """
    if name == "auto":
        return "bf16" if _multiplies_bf16(device) else "fp32"
    if name == "fp32":
        return "fp32"
    if name == "bf16":
        return "bf16"
    raise InputError(f"Unknown precision {name!r}: expected one of {', '.join(PRECISIONS)}.")


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and capabilities.get("amx_bf16") is True


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Context in which the network runs at ``precision``."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the device or of the host, could not be had."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, Exception) and any(words in str(error) for words in OUT_OF_MEMORY)


def forget_failure(error: BaseException) -> None:
    """Let go of what an attempt that ran out of memory held."""
    error.__traceback__ = None  # with its frames go their tensors
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
