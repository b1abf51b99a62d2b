"""Muon in the precision that the device multiplies fast.

PyTorch's makes updates orthogonal in bf16, which a processor without bf16 emulates: on two AVX2
cores that took a quarter of the time of a step (docs/log.md). This one is PyTorch's but for the
type of those few products.
"""

import math

import torch
from torch import Tensor

from slstr_cloudmask.network.device import resolve_precision


class Muon(torch.optim.Muon):
    """``torch.optim.Muon``, with updates of the size of Adam's and without decay of weights.

    Parameters
    ----------
    matrices
        What it changes, each of two dimensions.
    learning_rate
        Of Adam, for updates as large as Adam's (Liu et al. 2025, ``match_rms_adamw``).
    """

    def __init__(self, matrices: list[torch.nn.Parameter], learning_rate: float) -> None:
        super().__init__(matrices, learning_rate, weight_decay=0.0)
        precision = resolve_precision("auto", matrices[0].device)
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the weights."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - group["momentum"])
                ahead = matrix.grad.lerp(mean, group["momentum"])  # Nesterov's
                update = orthogonal(
                    ahead.to(self._dtype), group["ns_coefficients"], group["ns_steps"]
                )
                size = 0.2 * math.sqrt(max(matrix.shape))
                matrix.add_(update, alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int) -> Tensor:
    """Return a matrix of the same directions with singular values near 1.

    By the iteration of Newton and Schulz in the fifth order that Jordan et al. (2024) tuned, which
    leaves them between about 0.7 and 1.2.
    """
    tall = len(matrix) > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    a, b, c = coefficients
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if tall else wide
