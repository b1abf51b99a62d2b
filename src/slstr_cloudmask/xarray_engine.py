"""SLSTR products in xarray's own words: an engine, and an accessor.

    import xarray as xr
    scene = xr.open_dataset("S3A_SL_1_RBT____....SEN3", engine="slstr", chunks={})
    scene.slstr.cloud_mask()
    scene.slstr.quicklook("scene.png")

xarray finds the engine by the package's entry point, so ``slstr_cloudmask`` need not be imported.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from slstr_cloudmask.io import open_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["SlstrAccessor", "SlstrBackendEntrypoint", "open_scene"]


class SlstrBackendEntrypoint(BackendEntrypoint):
    """Opens a product as a Scene, whose values are read when they are first looked at."""

    description = "Open Sentinel-3 SLSTR Level-1 products (.SEN3): a folder, a zip, or a URL"
    url = "https://github.com/mlcommons/science/tree/main/benchmarks/cloudmask"

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: Any = None,
        decode_times: Any = None,
        concat_characters: Any = None,
        decode_coords: Any = None,
        use_cftime: Any = None,
        decode_timedelta: Any = None,
        view: str = "nadir",
        grid: str = "1km",
        stripe: str = "a",
        radiometry: str | None = None,
        regrid: str = "mean",
        fill_s7: bool = True,
    ) -> xr.Dataset:
        """Open a product; parameters and errors as `slstr_cloudmask.open_scene`.

        xarray's own decoders, ``mask_and_scale`` to ``decode_timedelta``, change nothing: a Scene
        is decoded, and its flags are integers.
        """
        scene = open_scene(
            filename_or_obj,
            view=view,
            grid=grid,
            stripe=stripe,
            radiometry=radiometry,
            regrid=regrid,
            fill_s7=fill_s7,
        )
        unwanted = [drop_variables] if isinstance(drop_variables, str) else drop_variables
        return scene.drop_vars(unwanted or [], errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a path looks like a product, so that the engine need not be named."""
        from slstr_cloudmask.io.product_name import MANIFEST, parse_product_name

        if not isinstance(filename_or_obj, str | Path):
            return False
        text = str(filename_or_obj).rstrip("/")
        whole = text.upper().endswith((".SEN3", ".ZIP", MANIFEST.upper()))
        return whole and parse_product_name(text) is not None


@xr.register_dataset_accessor("slstr")  # type: ignore[no-untyped-call]
class SlstrAccessor:
    """Methods of a Scene, as ``scene.slstr``.

    Parameters
    ----------
    scene
        Any data set that keeps the Scene contract (`slstr_cloudmask.scene`).
    """

    def __init__(self, scene: xr.Dataset) -> None:
        self._scene = scene

    def cloud_mask(self, **options: Any) -> xr.Dataset:
        """Mask the scene; options, result and errors as of `slstr_cloudmask.predict`."""
        from slstr_cloudmask.api import predict

        return predict(self._scene, **options)

    def quicklook(
        self,
        path: str | Path | None = None,
        *,
        mask: xr.Dataset | None = None,
        panels: Sequence[str] | None = None,
        overwrite: bool = False,
    ) -> "Figure":
        """Draw the scene, and a mask of it.

        Parameters
        ----------
        path
            Where to save the picture, ``.png``.
        mask
            Made from this scene; without one the scene alone is drawn.
        panels
            What to draw, by name; by default what suits the scene.
        overwrite
            Replace what is there.

        Raises
        ------
        InputError
            There is no such panel, no band in the data set, or ``path`` does not end in ``.png``.
        OutputExistsError
            ``path`` exists and ``overwrite`` is false.
        """
        from slstr_cloudmask.report.drawing import save_figure
        from slstr_cloudmask.report.quicklook import quicklook_figure

        figure = quicklook_figure(self._scene, mask, panels=panels)
        if path is not None:
            save_figure(figure, path, overwrite=overwrite)
        return figure
