"""``cloudmask calibrate``."""

from pathlib import Path
from typing import Annotated

import typer

from slstr_cloudmask.cli.options import DeviceOption, PrecisionOption


def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of a model; its config.json is changed.")],
    scenes: Annotated[
        Path, typer.Argument(help="Folder of scenes that it has not learnt from, with labels.")
    ],
    label: Annotated[
        str, typer.Option(help="truth of simulated scenes, or bayes, the provider's.")
    ] = "truth",
    companion: Annotated[
        str | None,
        typer.Option(help="A detector without a model to weigh with the network: clusters, say."),
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the scenes that it learnt from: masks then say which pixels are "
            "unlike these. By default they say which are unlike SCENES."
        ),
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Make a model's probabilities mean what they say, and set its thresholds.

    By day, twilight and night apart. Thresholds: **balanced**, where skill is greatest; **sst** and
    **lst**, where at most 2 and 5 percent of what is called clear is cloud. The weights stay as
    they are. With **--companion** a detector that knows the whole scene is asked too, and both are
    weighed. Masks also say which pixels are unlike what the model was trained on.
    """
    from slstr_cloudmask.detectors.network import Network
    from slstr_cloudmask.io import open_scene
    from slstr_cloudmask.io.find_scenes import find_scenes
    from slstr_cloudmask.network.model_file import save_config
    from slstr_cloudmask.training.calibration import calibrate as fit

    network = Network(model, device=device, precision=precision)
    fitted = fit(
        network,
        find_scenes(scenes),
        read=open_scene,
        label_name=label,
        companion=companion,
        trained_on=find_scenes(trained_on) if trained_on else (),
    )
    save_config(fitted.config, model)
    for name, (scale, offset) in fitted.config.calibration.items():
        typer.echo(f"{name:9} logit x {scale:.3f} {offset:+.3f}")
    for name, (own, other, offset) in fitted.config.companion_weights.items():
        typer.echo(f"{name:9} logit x {own:.3f}, {companion}'s x {other:.3f} {offset:+.3f}")
    for name, threshold in fitted.config.thresholds.items():
        typer.echo(f"{name:9} cloud from a probability of {threshold:.3f}")
    if fitted.failed:
        raise typer.Exit(1)
