"""What the manifest of a simulated product says of the scene, as lines of XML.

    lines = metadata_xml(description, size)

Of a real manifest's statements those are made that a simulated product can make.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from slstr_cloudmask import __version__, channels
from slstr_cloudmask.io.geolocation import Grid
from slstr_cloudmask.io.product_name import ProductName
from slstr_cloudmask.simulate.instrument import FIRE_TWINS

# Grids as manifests name them, by the letters of their files; the last is for both views.
_GRID_NAMES = {
    "i": "1 km",
    "a": "0.5 km stripe A",
    "b": "0.5 km stripe B",
    "f": "F1",
    "t": "Tie Points",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What a manifest says of the scene.

    Attributes
    ----------
    name
        Of the product.
    start, stop
        Times of the first and the last row, UTC.
    absolute_orbit
        Orbits since launch.
    descending
        Whether the satellite flies south in the middle of the scene.
    footprint
        Latitude and longitude of points around the scene, degrees.
    grids
        By the letters of their files.
    shares
        Percentages of pixels by element of the classification of the 1 km grid.
    """

    name: ProductName
    start: datetime
    stop: datetime
    absolute_orbit: int
    descending: bool
    footprint: Sequence[tuple[float, float]]
    grids: Mapping[str, Grid]
    shares: Mapping[str, float]


def metadata_xml(description: Description, size: int) -> Iterator[str]:
    """Yield the elements of a manifest that describe the scene; ``size`` is all files' bytes."""
    parts = {
        "acquisitionPeriod": ("Acquisition Period", _period(description)),
        "platform": ("Platform Description", _platform(description)),
        "measurementFrameSet": ("Frame Set", _frame_set(description)),
        "generalProductInformation": ("General Product Information", _general(description, size)),
        "slstrProductInformation": ("Slstr Product Information", _slstr(description)),
        "measurementOrbitReference": ("Orbit Reference", _orbit(description)),
        "measurementQualityInformation": ("Quality Information", _quality()),
        "processing": ("Processing", _processing(description)),
    }
    for name, (words, lines) in parts.items():
        kind = ("PROVENANCE", "PDI") if name == "processing" else ("DESCRIPTION", "DMD")
        yield f'<metadataObject ID="{name}" classification="{kind[0]}" category="{kind[1]}">'
        yield (
            '<metadataWrap mimeType="text/xml" vocabularyName="Sentinel-SAFE" '
            f'textInfo="{words}"><xmlData>'
        )
        yield from lines
        yield "</xmlData></metadataWrap>"
        yield "</metadataObject>"


def _element(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"


def _period(description: Description) -> Iterator[str]:
    yield "<sentinel-safe:acquisitionPeriod>"
    yield _element("sentinel-safe:startTime", utc(description.start))
    yield _element("sentinel-safe:stopTime", utc(description.stop))
    yield "</sentinel-safe:acquisitionPeriod>"


def _platform(description: Description) -> Iterator[str]:
    letter = description.name.stem[2].upper()
    yield "<sentinel-safe:platform>"
    yield _element("sentinel-safe:familyName", "Sentinel-3")
    yield _element("sentinel-safe:number", letter)
    yield "<sentinel-safe:instrument>"
    yield (
        '<sentinel-safe:familyName abbreviation="SLSTR">'
        "Sea and Land Surface Temperature Radiometer (simulated)</sentinel-safe:familyName>"
    )
    yield '<sentinel-safe:mode identifier="EO">Earth Observation</sentinel-safe:mode>'
    yield "</sentinel-safe:instrument></sentinel-safe:platform>"


def _frame_set(description: Description) -> Iterator[str]:
    points = " ".join(f"{lat:.4f} {lon:.4f}" for lat, lon in description.footprint)
    yield "<sentinel-safe:frameSet>"
    yield (
        '<sentinel-safe:footPrint srsName="http://www.opengis.net/def/crs/EPSG/0/4326">'
        f"<gml:posList>{points}</gml:posList></sentinel-safe:footPrint>"
    )
    yield "</sentinel-safe:frameSet>"


def _general(description: Description, size: int) -> Iterator[str]:
    name = description.name
    yield "<sentinel3:generalProductInformation>"
    yield _element("sentinel3:productName", f"{name.stem}.SEN3")
    yield _element("sentinel3:productType", "SL_1_RBT___")
    yield _element("sentinel3:timeliness", name.timeliness)
    yield _element("sentinel3:baselineCollection", name.baseline)
    yield _element("sentinel3:creationTime", f"{name.created:%Y%m%dT%H%M%S}")
    yield _element("sentinel3:productSize", size)
    yield _element("sentinel3:dispositionMode", "Development")
    yield "<sentinel3:productUnit>"
    yield _element("sentinel3:type", "FRAME")
    yield _element("sentinel3:duration", name.duration_s)
    yield _element("sentinel3:alongtrackCoordinate", name.frame)
    yield "</sentinel3:productUnit></sentinel3:generalProductInformation>"


def _slstr(description: Description) -> Iterator[str]:
    yield "<slstr:slstrProductInformation>"
    yield '<slstr:classificationSummary grid="1 km">'
    for name, share in description.shares.items():
        yield f'<sentinel3:{name} percentage="{share:.6f}"/>'
    yield "</slstr:classificationSummary>"
    for letter, words in _GRID_NAMES.items():
        across_m = description.grids[f"{letter}n"].across_m
        yield f'<slstr:resolution grid="{words}">'
        yield _element("slstr:spatialResolution", int(across_m))
        yield "</slstr:resolution>"
    for view, element in (("n", "nadirImageSize"), ("o", "obliqueImageSize")):
        for letter, words in _GRID_NAMES.items():
            yield from _image_size(element, words, description.grids[letter + view])
    yield f'<slstr:bandDescriptions bands="{len(channels.CHANNELS) + len(FIRE_TWINS)}">'
    twins = {name: name for name in channels.NAMES}
    twins |= {name: twin for name, (twin, _) in FIRE_TWINS.items()}
    for name, twin in twins.items():
        channel = channels.BY_NAME[twin]
        yield f'<sentinel3:band name="{name}">'
        yield _element("sentinel3:centralWavelength", f"{channel.wavelength_um * 1000:g}")
        yield _element("sentinel3:bandwidth", f"{channel.width_um * 1000:g}")
        yield "</sentinel3:band>"
    yield "</slstr:bandDescriptions></slstr:slstrProductInformation>"


def _image_size(element: str, words: str, grid: Grid) -> Iterator[str]:
    yield f'<slstr:{element} grid="{words}">'
    yield _element("sentinel3:startOffset", int(grid.start_offset))
    yield _element("sentinel3:trackOffset", int(grid.track_offset))
    yield _element("sentinel3:rows", grid.rows)
    yield _element("sentinel3:columns", grid.columns)
    yield f"</slstr:{element}>"


def _orbit(description: Description) -> Iterator[str]:
    direction = "descending" if description.descending else "ascending"
    numbers = {
        "orbitNumber": description.absolute_orbit,
        "relativeOrbitNumber": description.name.relative_orbit,
    }
    yield "<sentinel-safe:orbitReference>"
    for name, number in numbers.items():
        yield (
            f'<sentinel-safe:{name} type="start" groundTrackDirection="{direction}">'
            f"{number}</sentinel-safe:{name}>"
        )
    yield _element("sentinel-safe:cycleNumber", description.name.cycle)
    yield "</sentinel-safe:orbitReference>"


def _quality() -> Iterator[str]:
    yield "<sentinel-safe:qualityInformation><sentinel-safe:extension><sentinel3:productQuality>"
    yield _element("sentinel3:onlineQualityCheck", "SIMULATED")
    yield "</sentinel3:productQuality></sentinel-safe:extension></sentinel-safe:qualityInformation>"


def _processing(description: Description) -> Iterator[str]:
    yield '<sentinel-safe:processing name="Simulation" outputLevel="1">'
    yield (
        f'<sentinel-safe:facility name="No centre: simulated [{description.name.centre}]" '
        'organisation="slstr-cloudmask">'
    )
    yield f'<sentinel-safe:software name="slstr-cloudmask" version="{__version__}"/>'
    yield "</sentinel-safe:facility></sentinel-safe:processing>"


def utc(time: datetime) -> str:
    """Write a time as products do, with microseconds."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
