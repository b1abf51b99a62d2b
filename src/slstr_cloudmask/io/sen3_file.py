"""One NetCDF file of a product: its variables unpacked, its attributes as plain values.

    with ProductFile(product, "S8_BT_in") as file:
        bt_kelvin = file.unpacked("S8_BT_in")
        grid = file.grid("S8_BT_in")

Nothing is assumed about packing, fill values or sizes: the file says them. Whatever is wrong with
a file becomes a ``BrokenFileError`` that names it.
"""

from io import SEEK_END
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import h5py
import numpy as np
import numpy.typing as npt

from slstr_cloudmask.errors import BrokenFileError, InputError, MissingFileError
from slstr_cloudmask.flags import flag_masks
from slstr_cloudmask.io.geolocation import Grid, grid_from_attributes
from slstr_cloudmask.io.product_store import Product
from slstr_cloudmask.scene import FloatArray

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...] | None
IMAGE: Shape = (None, None)
IMAGE_WORDS = "(rows, columns)"


class ProductFile:
    """A NetCDF-4 file of a product, open for reading.

    Parameters
    ----------
    product
        Where it lies.
    stem
        Its name, without ``.nc``.

    Raises
    ------
    MissingFileError
        There is no such file.
    BrokenFileError
        It is truncated or of another format.
    """

    def __init__(self, product: Product, stem: str) -> None:
        self.path = f"{product.location}/{stem}.nc"
        if f"{stem}.nc" not in product.names:
            raise MissingFileError(f"There is no file {self.path}.")
        content = product.open(f"{stem}.nc")
        try:
            self._file = h5py.File(content, "r")
        except OSError as error:
            raise BrokenFileError(
                f"{self.path} cannot be opened: expected a NetCDF-4 file, "
                f"{_reason(content, error)}. Download the product again."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def attributes(self, name: str | None = None) -> dict[str, Any]:
        """Attributes of a variable, or of the file, as text, numbers and arrays."""
        attributes = self._variable(name).attrs if name else self._file.attrs
        # Names in capitals belong to HDF5's bookkeeping of dimensions.
        return {key: _plain(value) for key, value in attributes.items() if not key.isupper()}

    def raw(self, name: str, shape: Shape = IMAGE, kinds: str = "fiu") -> Array:
        """Values of a variable as they are stored.

        Parameters
        ----------
        name
            The variable.
        shape
            Sizes that it must have, None standing for any; None where any shape will do.
        kinds
            NumPy's kinds of number that it may hold.

        Raises
        ------
        BrokenFileError
            The file has no such variable, one of another shape or kind, or its data cannot be
            read.
        """
        dataset = self._dataset(name, shape, kinds)
        try:
            return np.asarray(dataset[()])
        except OSError as error:
            raise BrokenFileError(
                f"{self.path} is damaged: variable {name} cannot be read ({error}). "
                "Download the product again."
            ) from error

    def unpacked(self, name: str, shape: Shape = IMAGE) -> FloatArray:
        """Values of a variable in its unit, NaN where it has none; ``shape`` as for `raw`.

        Returns
        -------
        numpy.ndarray
            float32 where two bytes were stored, otherwise float64.
        """
        raw, attributes = self.raw(name, shape), self.attributes(name)
        dtype: type[np.floating[Any]] = np.float32 if raw.dtype.itemsize <= 2 else np.float64
        # NetCDF packing (CF conventions, section 8.1): value = raw * scale_factor + add_offset.
        values: FloatArray = raw.astype(dtype)
        values *= dtype(attributes.get("scale_factor", 1.0))
        values += dtype(attributes.get("add_offset", 0.0))
        if "_FillValue" in attributes:
            values[raw == attributes["_FillValue"]] = np.nan
        return values

    def unsigned(self, name: str, shape: Shape = IMAGE) -> Array:
        """Values of a flag variable as unsigned integers: some products store them signed."""
        raw = self.raw(name, shape, "iu")
        return raw.astype(raw.dtype.newbyteorder("=")).view(f"u{raw.dtype.itemsize}")

    def size(self, name: str) -> int:
        """Count the values of a variable."""
        return int(getattr(self._variable(name), "size", None) or 0)

    def unsigned_dtype(self, name: str) -> np.dtype[Any]:
        """Type of `unsigned`, without reading values."""
        itemsize = self._dataset(name, IMAGE, "iu").dtype.itemsize
        return np.dtype(f"u{itemsize}")

    def flag_masks(self, name: str) -> dict[str, int]:
        """Bit mask by meaning of a flag variable; spare bits are left out."""
        try:
            return flag_masks(self.attributes(name))
        except KeyError as error:
            raise BrokenFileError(
                f"Variable {name} of {self.path} does not say what its bits mean: {error} is "
                "missing. Download the product again."
            ) from error

    def grid(self, name: str) -> Grid:
        """Where the grid of a variable lies."""
        try:
            return grid_from_attributes(self.attributes(), self._dataset(name, IMAGE).shape)
        except InputError as error:
            raise BrokenFileError(f"{self.path}: {error}") from error

    def _dataset(self, name: str, shape: Shape, kinds: str = "fiu") -> Any:
        """Check that a variable is an array of numbers of the shape that is expected."""
        variable = self._variable(name)
        found = f"a {type(variable).__name__.lower()}"
        if isinstance(variable, h5py.Dataset):
            sizes = variable.shape or ()
            fits = shape is None or (
                len(sizes) == len(shape)
                and all(
                    size > 0 and want in (None, size)
                    for size, want in zip(sizes, shape, strict=True)
                )
            )
            if fits and variable.dtype.kind in kinds:
                return variable
            found = f"{variable.dtype} of shape {variable.shape}"
        numbers = "numbers" if "f" in kinds else "integers"
        sized = "" if shape is None else f" of shape {shape}".replace("(None, None)", IMAGE_WORDS)
        raise BrokenFileError(
            f"{self.path} is damaged: expected {numbers}{sized} in {name}, found {found}. "
            "Download the product again."
        )

    def _variable(self, name: str) -> Any:
        if self._file.get(name) is None:
            found = ", ".join(sorted(self._file)) or "nothing"
            raise BrokenFileError(
                f"{self.path} holds no variable {name}: found {found}. Download the product again."
            )
        return self._file[name]


def _plain(value: Any) -> Any:
    """Text for bytes and a number for an array of one."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _reason(content: Path | BinaryIO, error: OSError) -> str:
    if isinstance(content, Path):
        content = content.open("rb")
    with content:
        start, size = content.read(4), content.seek(0, SEEK_END)
    if size == 0:
        return "found an empty file"
    if start != b"\x89HDF":
        return "found another format"
    return f"found one that is truncated or damaged at {size} bytes ({error})"
