"""Which device and which precision the network runs on."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from slstr_cloudmask.errors import InputError

Precision = Literal["fp32", "bf16"]

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16")


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is the fastest that is there.

    Raises
    ------
    InputError
        No such device on this machine.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, there in available.items() if there), "cpu"))
    kind = name.split(":")[0]
    if kind not in DEVICES:
        raise InputError(f"Unknown device {name!r}: expected one of {', '.join(DEVICES)}.")
    if not available.get(kind, True):
        raise InputError(f"Device {name!r} was asked for and this machine has none. Use cpu.")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError(f"Device {name!r} is not understood: expected cuda:1, say.") from error


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
