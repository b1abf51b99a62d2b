"""The manifest of a simulated product: what it is, what files it has, their sizes and checksums.

    text = manifest_xml(description, units, contents)

The entries of files, their names and order are those of a real manifest (`product_format`); what
it says of the scene is in `product_metadata_xml`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from slstr_cloudmask.simulate.product_format import Unit
from slstr_cloudmask.simulate.product_metadata_xml import Description, metadata_xml

_NAMESPACES = {
    "xfdu": "urn:ccsds:schema:xfdu:1",
    "sentinel-safe": "http://www.esa.int/safe/sentinel/1.1",
    "gml": "http://www.opengis.net/gml",
    "sentinel3": "http://www.esa.int/safe/sentinel/sentinel-3/1.0",
    "slstr": "http://www.esa.int/safe/sentinel/sentinel-3/slstr/1.0",
}
_VERSION = "esa/safe/sentinel/sentinel-3/slstr/level-1/1.0"
_SUMMARIES = (
    "acquisitionPeriod platform measurementOrbitReference measurementFrameSet "
    "measurementQualityInformation generalProductInformation slstrProductInformation processing"
)


@dataclass(frozen=True, slots=True)
class Content:
    """Size and MD5 sum of a file."""

    size: int
    md5: str


def manifest_xml(
    description: Description,
    units: Sequence[Unit],
    annotations: Iterable[str],
    contents: Mapping[str, Content],
) -> str:
    """Write a manifest.

    Parameters
    ----------
    description
        Of the scene.
    units
        Entries of the files there are, in order.
    annotations
        Identifiers of the files that describe others.
    contents
        Size and checksum by file.

    Returns
    -------
    str
        XML.
    """
    spaces = " ".join(f'xmlns:{key}="{value}"' for key, value in _NAMESPACES.items())
    listed = {unit.data for unit in units}
    size = sum(content.size for content in contents.values())
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<xfdu:XFDU {spaces} version="{_VERSION}">',
        "<informationPackageMap>",
        '<xfdu:contentUnit ID="packageUnit" unitType="Information Package" '
        f'textInfo="SENTINEL-3 SLSTR Level 1 package" dmdID="{_SUMMARIES}" pdiID="processing">',
        *(line for unit in units for line in _content_unit(unit, listed)),
        "</xfdu:contentUnit>",
        "</informationPackageMap>",
        "<metadataSection>",
        *metadata_xml(description, size),
        *_pointers(annotations, listed),
        "</metadataSection>",
        "<dataObjectSection>",
        *(line for unit in units for line in _data_object(unit, contents[unit.file])),
        "</dataObjectSection>",
        "</xfdu:XFDU>",
    ]
    return "\n".join(lines) + "\n"


def _content_unit(unit: Unit, listed: set[str]) -> Iterator[str]:
    known = [name for name in unit.annotations if _data_of(name) in listed]
    described = f' dmdID="{" ".join(known)}"' if known else ""
    yield (
        f'<xfdu:contentUnit ID="{unit.identifier}" unitType="{unit.kind}" '
        f"textInfo={quoteattr(unit.text)}{described}>"
    )
    yield f'<dataObjectPointer dataObjectID="{unit.data}"/>'
    yield "</xfdu:contentUnit>"


def _pointers(annotations: Iterable[str], listed: set[str]) -> Iterator[str]:
    for name in annotations:
        if _data_of(name) in listed:
            yield f'<metadataObject ID="{name}" classification="DESCRIPTION" category="DMD">'
            yield f'<dataObjectPointer dataObjectID="{_data_of(name)}"/>'
            yield "</metadataObject>"


def _data_of(annotation: str) -> str:
    return f"{annotation.removesuffix('Annotation')}Data"


def _data_object(unit: Unit, content: Content) -> Iterator[str]:
    yield f'<dataObject ID="{unit.data}">'
    yield f'<byteStream mimeType="application/x-netcdf" size="{content.size}">'
    yield (
        f'<fileLocation locatorType="URL" textInfo={quoteattr(unit.text)} href="./{unit.file}"/>'
    )
    yield f'<checksum checksumName="MD5">{content.md5}</checksum>'
    yield "</byteStream>"
    yield "</dataObject>"
