"""Simulated products on disk: whether one is whole and may be kept, whether one may be removed.

statistics = kept_statistics(folder, (1200, 1500))     # None: make it again
if is_simulated(folder):
    remove_product(folder)
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py

from slstr_cloudmask.errors import CloudMaskError, WriteError
from slstr_cloudmask.io.product_check import file_fault
from slstr_cloudmask.io.product_manifest import ManifestFile, read_manifest
from slstr_cloudmask.io.product_name import MANIFEST
from slstr_cloudmask.io.product_store import Product, open_product
from slstr_cloudmask.simulate.product_format import product_format
from slstr_cloudmask.simulate.product_truth import TRUTH_FILES

STATISTICS = "statistics"  # note of `write_product` that holds them, as JSON
# The centre in a name, SI0 or SI1, marks a product as simulated.
_SIMULATED = re.compile(r"_SI[01]_D_NT_004\.SEN3$")


def kept_statistics(folder: Path, size: tuple[int, int]) -> dict[str, Any] | None:
    """Read the statistics of the scene in a product; None where it is absent, broken or other.

    Parameters
    ----------
    folder
        The product.
    size
        Rows and columns that it should have.
    """
    try:
        product = open_product(folder)
        if not all(_is_whole(product, file) for file in read_manifest(product).files.values()):
            return None
        with h5py.File(folder / TRUTH_FILES["in"]) as truth:
            statistics = json.loads(truth.attrs[STATISTICS])
            same_size = truth["truth_in"].shape == size
    except (CloudMaskError, OSError, KeyError, ValueError, TypeError):
        return None  # whatever is wrong with it, it is made again
    return statistics if same_size and isinstance(statistics, dict) else None


def _is_whole(product: Product, file: ManifestFile) -> bool:
    return None not in (file.size, file.md5) and file_fault(product, file) is None


def is_simulated(path: Path) -> bool:
    """Whether a path is a product that was simulated, and nothing but its files is in it."""
    if not _SIMULATED.search(path.name) or path.is_symlink() or not path.is_dir():
        return False
    known = {*product_format().files, *TRUTH_FILES.values(), MANIFEST}
    return all(entry.name in known and entry.is_file() for entry in path.iterdir())


def remove_product(folder: Path) -> None:
    """Remove a simulated product; ask `is_simulated` first.

    Raises
    ------
    WriteError
        The operating system refused.
    """
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise WriteError(f"Cannot replace {folder}: {error.strerror}.") from error
