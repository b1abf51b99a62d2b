"""``cloudmask train``."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, OverwriteOption, PrecisionOption


def train(
    scenes: Annotated[
        Path,
        typer.Argument(
            help="Folder of scenes (S3*.hdf, S3*.nc), searched recursively, or a packed store."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Further settings, applied last: **loss=generalised**, **band_dropout=0.5**, "
            "**data.reads=full**. All keys: docs/training.md.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the run; the model goes to model/.")
    ] = Path("runs/train"),
    epochs: Annotated[int, typer.Option(help="At most this many.")] = 200,
    batch_size: Annotated[int, typer.Option(help="Patches a step, over all processes.")] = 32,
    optimiser: Annotated[
        str, typer.Option(help="adam, or muon, which takes fewer epochs with one_cycle.")
    ] = "adam",
    learning_rate: Annotated[float, typer.Option(help="The highest of the schedule.")] = 1e-3,
    schedule: Annotated[
        str, typer.Option(help="constant, or one_cycle: up, and down to zero at the last epoch.")
    ] = "constant",
    train_split: Annotated[float, typer.Option(help="Share of the scenes to train on.")] = 0.8,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without a lower loss; 0 never stops.")
    ] = 25,
    seed: Annotated[int, typer.Option(help="Of split, weights and order.")] = 1234,
    patch_size: Annotated[int, typer.Option(help="Pixels along each side of a patch.")] = 256,
    label: Annotated[str, typer.Option(help="bayes, or truth of simulated scenes.")] = "bayes",
    radiometry: Annotated[
        str, typer.Option(help="Reflectances to learn from: as_distributed or adjusted.")
    ] = "as_distributed",
    augment: Annotated[
        str, typer.Option(help="none, flips, or d4: flips and rotations of every patch.")
    ] = "none",
    compile_network: Annotated[
        str, typer.Option("--compile", help="auto, yes or no; auto where epochs are long.")
    ] = "auto",
    jobs: Annotated[
        int, typer.Option(help="Processes that pack scenes, at most. [default: one a core]", min=0)
    ] = 0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    overwrite: OverwriteOption = False,
) -> None:
    """Train a U-Net on benchmark scenes.

    Scenes are packed once into OUTPUT/store; after every epoch the run is saved, and the same
    command goes on from there. The weights of the best epoch become OUTPUT/model.

    On several processes: **torchrun --nproc-per-node 2 -m slstr_cloudmask train SCENES -o RUN**
    """
    import os

    from slstr_cloudmask.benchmark.settings import with_settings
    from slstr_cloudmask.cli.tables import format_score
    from slstr_cloudmask.io import open_scene
    from slstr_cloudmask.io.find_scenes import find_scenes
    from slstr_cloudmask.training.distribution import launched, launched_device
    from slstr_cloudmask.training.run import TrainingConfig, run_training
    from slstr_cloudmask.training.store import is_store
    from slstr_cloudmask.validation import validated

    options = {
        "train": {
            "epochs": epochs,
            "batch_size": batch_size,
            "optimiser": optimiser,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "train_split": train_split,
            "patience": patience or None,
            "seed": seed,
            "precision": precision,
            "augment": augment,
            "compile": compile_network,
        },
        "data": {
            "label": label,
            "patch_size": patch_size,
            "crop_size": patch_size * 5 // 16 // 2 * 2,  # the benchmark's proportion: 80 of 256
            "radiometry": radiometry,
        },
    }
    config = validated(
        TrainingConfig, with_settings(TrainingConfig, options, settings or []), "train"
    )
    result = run_training(
        config.train,
        config.data,
        [scenes] if is_store(scenes) else find_scenes(scenes),
        output,
        read=open_scene,
        device=launched_device(device),
        jobs=jobs or os.cpu_count() or 1,
        overwrite=overwrite,
    )
    if launched().is_first:
        kept = result.training["kept"]
        typer.echo(
            f"Model of epoch {result.training['kept_epoch']} in {output / 'model'}: "
            f"validation agreement {kept['validation_agreement']:.4f} with {config.data.label}, "
            f"Kuipers {format_score(kept['validation_kuipers'])}."
        )
    if result.training["skipped"]:
        raise typer.Exit(1)
