"""The models that ship with the package, by name.

    folder = find_model("default")

Each is a folder in ``slstr_cloudmask/models``: a model file (see ``model_file``), a model card, and
the SHA-256 of the weights. They are small enough for the wheel, so that a mask needs no download.
"""

import hashlib
from pathlib import Path

from slstr_cloudmask.errors import BrokenFileError, MissingFileError
from slstr_cloudmask.network.model_file import WEIGHTS_NAME

MODELS = Path(__file__).parents[1] / "models"
CARD_NAME, CHECKSUM_NAME = "README.md", "SHA256SUMS"


def model_names() -> list[str]:
    """Return the names of the models that ship with the package."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{WEIGHTS_NAME}"))


def find_model(model: str | Path) -> Path:
    """Return the folder of a model: of a shipped one by its name, else the path that was given.

    Raises
    ------
    MissingFileError
        There is no such folder, and no model of that name ships.
    BrokenFileError
        The weights of a shipped model are not those that were shipped.
    """
    if str(model) in model_names():
        folder = MODELS / str(model)
        _check(folder)
        return folder
    if not Path(model).is_dir():
        raise MissingFileError(
            f"There is no model {str(model)!r}: expected {', '.join(model_names())}, or a folder "
            "that `cloudmask train` wrote."
        )
    return Path(model)


def _check(folder: Path) -> None:
    expected = (folder / CHECKSUM_NAME).read_text().split()[0]
    found = hashlib.sha256((folder / WEIGHTS_NAME).read_bytes()).hexdigest()
    if found != expected:
        raise BrokenFileError(
            f"The weights in {folder} have the SHA-256 {found}, and {expected} was shipped: "
            "install the package again."
        )
