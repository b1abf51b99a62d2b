"""A training run as a folder: the packed store, the checkpoint, and the model at its end.

    RUN/store/          scenes, packed once
    RUN/checkpoint.pt   the run after its last whole epoch
    RUN/model/          the model file
    RUN/history.json    losses and agreement, epoch by epoch

Started again on the same folder, a run goes on where it stopped. A store that was packed before
(``cloudmask pack``) is trained on where it lies.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slstr_cloudmask.atomic import replacing
from slstr_cloudmask.errors import ConfigError
from slstr_cloudmask.network.model_file import ModelConfig, check_model_folder, save_model
from slstr_cloudmask.network.normaliser import Reads
from slstr_cloudmask.network.tiling import TilingAxis
from slstr_cloudmask.radiometry import Radiometry
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.distribution import Ranks, joined
from slstr_cloudmask.training.labels import OF_MASKS, LabelName, Teaching
from slstr_cloudmask.training.loop import TrainResult, train
from slstr_cloudmask.training.pack import SceneReader, pack_scenes
from slstr_cloudmask.training.store import FileOrder, Store, StoreManifest, is_store, open_store
from slstr_cloudmask.validation import UserPath

STORE_NAME, CHECKPOINT_NAME, MODEL_NAME, HISTORY_NAME = (
    "store",
    "checkpoint.pt",
    "model",
    "history.json",
)

# A process takes 5 s to start, in which another packs some 16 scenes of full size (measured).
SCENES_OF_A_JOB = 16


class DataConfig(BaseModel):
    """What is learnt from each scene.

    Attributes
    ----------
    label
        ``bayes``, the provider's mask (the benchmark's); ``truth`` of simulated scenes; ``masks``
        that a detector made; ``agreed``, the provider's where such a mask agrees: see ``labels``.
    masks
        Their folder.
    strata
        Keep in which light and on which surface each label is, for the loss ``forward``; with
        ``masks`` also how far the provider's label differs from them.
    ignore_coast_px
        Nothing is learnt within this distance of a coastline.
    reads
        What the network reads: ``bands`` (the benchmark's) or ``full``: see ``network.inputs``.
    patch_size, crop_size
        Pixels of a patch, and of what inference by patches cuts from it.
    mask_empty
        Pixels that were not seen are left out. If false they count as clear (faithful).
    radiometry
        ``as_distributed`` (the benchmark's) or ``adjusted``: what the reflectances of every scene
        are converted to before they are learnt from. The model file records it.
    file_order
        In which order scenes are packed, and so split: ``sorted`` by name, or as the file system
        ``listed`` them (faithful): another file system may then split otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: LabelName = "bayes"
    masks: UserPath | None = None
    strata: bool = False
    ignore_coast_px: int = Field(default=0, ge=0)
    reads: Reads = "bands"
    patch_size: int = Field(default=256, ge=8)
    crop_size: int = Field(default=80, ge=0)
    mask_empty: bool = True
    radiometry: Radiometry = "as_distributed"
    file_order: FileOrder = "sorted"

    @model_validator(mode="after")
    def _check(self) -> "DataConfig":
        TilingAxis(self.patch_size, self.patch_size, self.crop_size)
        if self.label in OF_MASKS and self.masks is None:
            raise ValueError(f"label {self.label} needs masks, a folder that `predict` wrote")
        return self

    @property
    def teaching(self) -> Teaching:
        """Which label is taught."""
        return Teaching(
            label=self.label,
            masks=self.masks,
            empty_known=not self.mask_empty,
            ignore_coast_px=self.ignore_coast_px,
            strata=self.strata,
        )


class TrainingConfig(BaseModel):
    """All that a training run is told: how, and on what of each scene."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: TrainConfig = Field(default_factory=TrainConfig)
    data: DataConfig = Field(default_factory=DataConfig)


def check_sizes(config: TrainConfig, data: DataConfig) -> None:
    """Refuse patches that the network cannot halve as often as it does.

    Raises
    ------
    ConfigError
        The patch size is no multiple of the network's stride.
    """
    stride = 2 ** (len(config.widths) - 1)
    if data.patch_size % stride:
        raise ConfigError(
            f"Patch size {data.patch_size} does not fit a network of {len(config.widths)} levels: "
            f"expected a multiple of {stride}."
        )


def check_store(manifest: StoreManifest, folder: Path, data: DataConfig) -> None:
    """Refuse a store that was packed with other settings than are asked for.

    Raises
    ------
    ConfigError
        It was.
    """
    found = {
        "patch_size": manifest.patch_size,
        "label": manifest.label,
        "strata": manifest.strata > 1,
        "ignore_coast_px": manifest.ignore_coast_px,
        "reads": manifest.normaliser.reads,
        "mask_empty": manifest.empty_pixels == "masked",
        "radiometry": manifest.radiometry,
        "file_order": manifest.file_order,
    }
    for name, value in found.items():
        if (expected := getattr(data, name)) != value:
            raise ConfigError(
                f"The store {folder} was packed with {name} {value}, and {expected} is asked for: "
                "ask for the same, or pack again."
            )


def prepare_store(
    paths: Sequence[Path],
    folder: Path,
    data: DataConfig,
    *,
    read: SceneReader,
    ranks: Ranks,
    jobs: int = 1,
    overwrite: bool = False,
) -> Store:
    """Pack scenes in the first process, and open the store in all.

    ``jobs`` processes at most read scenes, and fewer where they would take longer to start than to
    work. ``paths`` may also be one store that was packed before: it is opened, and ``folder`` not
    used.

    Raises
    ------
    ConfigError
        The store was packed with other settings.
    """
    if len(paths) == 1 and is_store(paths[0]):
        store = open_store(paths[0])
        check_store(store.manifest, paths[0], data)
        return store
    if ranks.is_first:
        pack_scenes(
            paths,
            folder,
            read=read,
            patch_size=data.patch_size,
            teaching=data.teaching,
            reads=data.reads,
            radiometry=data.radiometry,
            file_order=data.file_order,
            jobs=min(jobs, max(1, len(paths) // SCENES_OF_A_JOB)),
            overwrite=overwrite,
        )
    ranks.wait()
    return open_store(folder)


def model_config(
    config: TrainConfig, data: DataConfig, store: Store, result: TrainResult
) -> ModelConfig:
    """Describe a trained network: how to use it, and where it comes from."""
    kept: dict[str, Any] = result.state.history[result.kept_epoch - 1]
    return ModelConfig(
        widths=config.widths,
        normaliser=store.manifest.normaliser,
        label=data.label,
        radiometry=data.radiometry,
        patch_size=data.patch_size,
        crop_size=data.crop_size,
        training={
            "config": config.model_dump(mode="json"),
            # Without what a kind of run adds, such as the place of its scenes.
            "data": data.model_dump(mode="json", include=set(DataConfig.model_fields)),
            "scenes": len(store.manifest.scenes),
            "skipped": store.manifest.skipped,
            "patches": store.manifest.patches,
            "epochs": result.state.epoch,
            "kept_epoch": result.kept_epoch,
            "precision": result.precision,
            "kept": kept,
        },
    )


def run_training(
    config: TrainConfig,
    data: DataConfig,
    paths: Sequence[Path],
    folder: Path,
    *,
    read: SceneReader,
    device: torch.device,
    jobs: int = 1,
    overwrite: bool = False,
) -> ModelConfig:
    """Pack, train and write the model file; every process of a launch calls this.

    Parameters
    ----------
    config, data
        How, and on what of each scene.
    paths
        Scene files, or one packed store.
    folder
        The run's folder.
    read
        Reads one scene with its labels.
    device
        Where.
    jobs
        Processes that pack.
    overwrite
        Start anew over an old run.

    Raises
    ------
    OutputExistsError
        The folder holds a finished model, or a store of other scenes, and ``overwrite`` is false.
    """
    check_sizes(config, data)
    model = folder / MODEL_NAME
    check_model_folder(model, overwrite=overwrite)
    with joined(device) as ranks:
        if overwrite and ranks.is_first:
            # Both, so that a run that is stopped from here on goes on without --overwrite.
            (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
            shutil.rmtree(model, ignore_errors=True)
        store = prepare_store(
            paths,
            folder / STORE_NAME,
            data,
            read=read,
            ranks=ranks,
            jobs=jobs,
            overwrite=overwrite,
        )
        result = train(
            config,
            store,
            device=device,
            ranks=ranks,
            checkpoint=folder / CHECKPOINT_NAME,
        )
        described = model_config(config, data, store, result)
        if ranks.is_first:
            save_model(result.network, described, model)
            with replacing(folder / HISTORY_NAME, overwrite=True) as temporary:
                temporary.write_text(json.dumps(result.state.history, indent=1) + "\n")
        ranks.wait()
    return described
