"""Scenes packed once for all trials of a sweep.

    stores = Stores(plan, sweep)
    content = stores.given(plan.content(number, values, folder))   # with data.store

Trials that learn from other patches, labels or reflectances than the plan's own configuration get
a store of their own, shared by those that learn from the same.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from slstr_cloudmask.io import open_scene
from slstr_cloudmask.io.find_scenes import find_scenes
from slstr_cloudmask.sweep.plan import SweepPlan
from slstr_cloudmask.training.distribution import Ranks
from slstr_cloudmask.training.run import STORE_NAME, DataConfig, prepare_store
from slstr_cloudmask.validation import validated

NOT_PACKED = {"crop_size", "root", "store"}  # of the section ``data``: no effect on a store


class Stores:
    """The packed stores in a sweep's folder.

    Parameters
    ----------
    plan
        What the sweep is to do.
    sweep
        Its folder.
    """

    def __init__(self, plan: SweepPlan, sweep: Path) -> None:
        self._plan, self._sweep = plan, sweep
        self._there: set[Path] = set()

    def given(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a run's configuration with its store, which is packed where it is not there.

        Raises
        ------
        MissingFileError
            There are no scenes to pack.
        """
        if content["data"].get("store") is not None:
            return content
        folder = self._folder(content)
        if folder not in self._there:
            self._pack(content, folder)
            self._there.add(folder)
        return {**content, "data": {**content["data"], "store": str(folder)}}

    def _folder(self, content: dict[str, Any]) -> Path:
        key = _packed(content)
        if key == _packed(self._plan.base):
            return self._sweep.absolute() / STORE_NAME
        digest = hashlib.blake2b(key.encode(), digest_size=4).hexdigest()
        return self._sweep.absolute() / f"{STORE_NAME}-{digest}"

    def _pack(self, content: dict[str, Any], folder: Path) -> None:
        fields = {
            key: value for key, value in content["data"].items() if key in DataConfig.model_fields
        }
        prepare_store(
            find_scenes(Path(content["train_dir"])),
            folder,
            validated(DataConfig, fields, "data"),
            read=open_scene,
            ranks=Ranks(),
            jobs=os.cpu_count() or 1,
        )


def _packed(content: dict[str, Any]) -> str:
    """Return what a store follows from, as text."""
    data = {key: value for key, value in content["data"].items() if key not in NOT_PACKED}
    return json.dumps([content["train_dir"], data], sort_keys=True)
