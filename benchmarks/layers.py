"""The network's convolutions as a list: what each computes, reads and writes.

FLOP are counted two ways: as published, every weight at every pixel (21.48 GFLOP a patch of 256),
and as computed here, where the first convolution of each decoder level reads the coarse map
without doubling it and needs 4 of 9 products for that part (17.46 GFLOP).
"""

from dataclasses import dataclass

from slstr_cloudmask.network.unet import REFERENCE_WIDTHS


@dataclass(frozen=True)
class Layer:
    """One convolution with its bias and ReLU.

    Attributes
    ----------
    name
        ``enc1a`` … ``bot_b`` … ``dec1b``, ``head``.
    level
        Its output is ``2**level`` times coarser than the input of the network.
    inputs, outputs
        Channels; without those of ``coarse``.
    coarse
        Channels of the coarser map that is doubled and joined; 0 for most.
    kernel
        Rows and columns of weights.
    """

    name: str
    level: int
    inputs: int
    outputs: int
    coarse: int = 0
    kernel: int = 3

    def pixels(self, rows: int, columns: int) -> int:
        """Return the pixels of its output for an input of the network of that size."""
        return (rows >> self.level) * (columns >> self.level)

    def published_flop(self, pixels: int) -> int:
        """Return multiplications and additions, every weight at every pixel."""
        return 2 * self.kernel**2 * (self.inputs + self.coarse) * self.outputs * pixels

    def flop(self, pixels: int) -> int:
        """Return those that are computed: 4 of 9 for what is doubled."""
        return 2 * (self.kernel**2 * self.inputs + 4 * self.coarse) * self.outputs * pixels

    def bytes(self, pixels: int, item: int) -> int:
        """Return the least memory traffic: maps read once and written once, and the weights.

        A coarse map has a quarter of the pixels; ``item`` is the bytes of a number.
        """
        maps = (self.inputs + self.outputs) * pixels + self.coarse * pixels // 4
        return item * (maps + self.kernel**2 * (self.inputs + self.coarse) * self.outputs)


def network_layers(channels: int = 9, widths: tuple[int, ...] = REFERENCE_WIDTHS) -> list[Layer]:
    """Return the layers in the order in which they run."""
    layers = []
    before = channels
    for level, width in enumerate(widths):
        name = "bot_" if level == len(widths) - 1 else f"enc{level + 1}"
        layers.append(Layer(f"{name}a", level, before, width))
        layers.append(Layer(f"{name}b", level, width, width))
        before = width
    for level in range(len(widths) - 2, -1, -1):
        width = widths[level]
        layers.append(Layer(f"dec{level + 1}a", level, width, width, coarse=widths[level + 1]))
        layers.append(Layer(f"dec{level + 1}b", level, width, width))
    return [*layers, Layer("head", 0, widths[0], 1, kernel=1)]


def total_flop(rows: int, columns: int, *, published: bool = False) -> int:
    """Return the FLOP of the benchmark's network on an input of that size."""
    counted = (
        layer.published_flop(pixels) if published else layer.flop(pixels)
        for layer in network_layers()
        for pixels in [layer.pixels(rows, columns)]
    )
    return sum(counted)
