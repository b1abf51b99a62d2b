"""The gallery: small pictures of scenes, on one page."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import typer
from matplotlib.image import imread

from slstr_cloudmask.cli.gallery import gallery
from slstr_cloudmask.errors import MissingFileError, OutputExistsError
from slstr_cloudmask.io.benchmark_hdf import write_scene
from slstr_cloudmask.report.gallery import page_path, picture_scene, spread, write_gallery
from slstr_cloudmask.report.gallery_panels import gallery_panels, shares
from slstr_cloudmask.report.page import ERROR_COLOURS, MASK_COLOURS
from tests.scenes import make_scene

NAME = (
    "S3A_SL_1_RBT____20191001T113221_20191001T113521_20191002T153211_0179_050_02{}"
    "_1980_LN2_O_NT_003"
)


def pixels(png: bytes) -> np.ndarray:
    """Colours as bytes (rows, columns, 3)."""
    values = imread(io.BytesIO(png))[..., :3]
    return np.asarray(np.rint(values * 255), np.uint8)


def test_panels_of_a_day_scene() -> None:
    panels = gallery_panels(make_scene())
    captions = list(panels)
    assert [caption.split(",")[0].split(":")[0] for caption in captions] == [
        "S5",
        "S8",
        "S4",
        "S7-S8",
        "truth",
        "provider",
        "provider's errors",
    ]
    assert all(png.startswith(b"\x89PNG") for png in panels.values())
    # Made by hand: label and truth are the same, so nothing is missed.
    assert captions[-1] == "provider's errors: 0.0% missed, 0% false cloud"


def test_masks_keep_their_colours() -> None:
    scene = make_scene()
    cloud = scene["truth"].values == 1
    flag = scene["bayes"].values.copy()
    row, column = (int(place) for place in np.argwhere(cloud)[0])
    flag[row, column] = 0  # one pixel is missed
    row_false, column_false = (int(place) for place in np.argwhere(scene["truth"].values == 0)[0])
    flag[row_false, column_false] = 3  # and one is false
    scene["bayes"].values[...] = flag
    panels = gallery_panels(scene)
    truth = pixels(panels["truth"])
    np.testing.assert_array_equal(
        truth[cloud], np.broadcast_to(MASK_COLOURS[1], truth[cloud].shape)
    )
    np.testing.assert_array_equal(truth[:, 0], np.broadcast_to(MASK_COLOURS[2], (64, 3)))
    errors = pixels(list(panels.values())[-1])
    np.testing.assert_array_equal(errors[row, column], ERROR_COLOURS[1])
    np.testing.assert_array_equal(errors[row_false, column_false], ERROR_COLOURS[2])
    np.testing.assert_array_equal(errors[0, 0], ERROR_COLOURS[3])


def test_panels_by_night_and_of_a_real_scene() -> None:
    scene = make_scene().drop_vars(["S1", "S2", "S3", "S4", "S5", "S6", "truth"])
    scene.attrs["illumination"] = "night"
    captions = list(gallery_panels(scene))
    assert captions[0] == "S9-S8, S8-S7, S8 as red, green, blue"
    assert "S4, 1.37 µm: no sunlight" in captions
    assert captions[-1] == "provider"


def test_panels_of_a_scene_with_one_band() -> None:
    scene = make_scene()[["S9"]]
    assert list(gallery_panels(scene)) == ["thermal"]
    scene["S9"].values[...] = np.nan
    assert list(gallery_panels(scene)) == ["thermal"]
    assert shares(scene) == {}


def test_large_scenes_are_thinned() -> None:
    scene = make_scene(shape=(300, 750))
    # 750 / 240 is about 3: 250 columns are left.
    assert pixels(gallery_panels(scene)["truth"]).shape == (100, 250, 3)


def test_the_title_tells_time_place_and_shares() -> None:
    scene = make_scene()
    scene.attrs["start_time"] = "2019-10-01T11:32:21Z"
    shape = scene["S8"].shape
    scene = scene.assign_coords(
        latitude=(("rows", "columns"), np.full(shape, -12.34)),
        longitude=(("rows", "columns"), np.full(shape, 5.0)),
    )
    share = f"{shares(scene)['truth']:.0%}"
    assert picture_scene(scene, name="a.hdf").title == (
        f"2019-10-01 11:32:21 UTC · 12.3° S, 5.0° E · {share} flagged · {share} truly cloud · a.hdf"
    )


def test_spread_is_even() -> None:
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread(range(3), 4) == [0, 1, 2]


def test_the_page_escapes_names(tmp_path: Path) -> None:
    row = picture_scene(make_scene(), name="<b>.hdf")
    page = write_gallery([row], tmp_path, failed={"<i>": "is & broken"}).read_text()
    assert "<b>" not in page
    assert "&lt;i&gt;: is &amp; broken" in page
    assert page.count("<img") == page.count('alt="') == 7
    for uri in re.findall(r"data:image/png;base64,([^\"]+)", page):
        assert base64.b64decode(uri).startswith(b"\x89PNG")


def test_where_the_page_goes(tmp_path: Path) -> None:
    assert page_path(tmp_path) == tmp_path / "gallery.html"
    assert page_path(tmp_path / "new") == tmp_path / "new" / "gallery.html"
    assert page_path(tmp_path / "a.html") == tmp_path / "a.html"


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data" / "day"
    for number in range(3):
        write_scene(data / f"{NAME.format(number)}.hdf", make_scene(number))
    page = tmp_path / "gallery.html"
    gallery([str(data)], page, scenes=2)
    assert page.read_text().count("<h3>") == 2
    assert capsys.readouterr().out.strip() == str(page)
    with pytest.raises(OutputExistsError):
        gallery([str(data)], page, scenes=2)
    # A broken file is named and leaves the others.
    (data / f"{NAME.format(9)}.hdf").write_bytes(b"nothing")
    with pytest.raises(typer.Exit) as stop:
        gallery([str(data)], page, scenes=24, overwrite=True)
    assert stop.value.exit_code == 1
    text = page.read_text()
    assert text.count('<div class="pictures">') == 3
    assert "Not drawn" in text


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="Found no scene"):
        gallery([str(tmp_path)], tmp_path / "gallery.html", scenes=24)
