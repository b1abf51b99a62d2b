"""From timings to one table of ratios, with what was asked of each.

    rows = ratio_rows(record)

A record is what `bench.py` writes as JSON; the table is made of that alone, so an old file can be
printed again (``page.markdown``), and so can one of which parts are missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.inference import TWIN
from benchmarks.layers import total_flop
from benchmarks.stages import share
from benchmarks.training import EPOCH_PATCHES

Record = dict[str, Any]
GB = 1e9
PATCHES_PER_SCENE = 63
# What stands for parts that were not measured.
EMPTY: Record = {
    "twin": None,
    "network": {},
    "device": {},
    "accuracy": {"rows": []},
    "folder": {},
    "pipeline": {},
    "packing": {"share_of_reading_whole_files": {}},
    "training": {},
    "memory": {},
    "ceilings": [],
    "layers": [],
    "quietness": {},
    "failed": {},
}
# 3 times a patch's forward pass (values, gradients of inputs, of weights), but that nothing asks
# for gradients of the network's own input, in its first layer.
TRAINING_FLOP = 3 * total_flop(256, 256) - 2 * 9 * 9 * 32 * 256 * 256


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what
        What was measured.
    ours, against
        Of us, and of what it is held against.
    ratio
        How many times better ours is; against a ceiling, the share of it.
    bar
        What was asked for; empty where nothing was.
    met
        Whether it is; ``None`` where nothing was asked for.
    """

    what: str
    ours: str
    against: str
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None


def ratio_rows(record: Record) -> list[Row]:
    """Return the table's rows, of those parts that the record holds."""
    record = {**EMPTY, **record}
    return [
        *_agreement_rows(record),
        *_network_rows(record),
        *_folder_rows(record),
        *_pipeline_rows(record),
        *_packing_rows(record),
        *_training_rows(record),
        *_memory_rows(record),
        *_ceiling_rows(record),
    ]


def best(samples: Record, *, prefix: str = "", suffix: str = "") -> str | None:
    """Name the fastest of our subjects, by median; the twin's are not among them."""
    ours = {
        name: sample["median_s"]
        for name, sample in samples.items()
        if not name.startswith("twin") and name.startswith(prefix) and name.endswith(suffix)
    }
    return min(ours, key=lambda name: ours[name]) if ours else None


def seconds(sample: Record, scale: float = 1.0, unit: str = "s") -> str:
    """Return ``median (min–max) unit``."""
    low, middle, high = (f"{scale * sample[key]:.3g}" for key in ("min_s", "median_s", "max_s"))
    return f"{middle} ({low}–{high}) {unit}"


def _versus(what: str, samples: Record, ours: str, theirs: str, least: float = 0.0) -> Row:
    """Compare two subjects of one turn-taking."""
    ratio = samples[theirs]["median_s"] / samples[ours]["median_s"]
    return Row(
        f"{what}: {ours}",
        seconds(samples[ours]),
        f"{theirs}: {seconds(samples[theirs])}",
        ratio,
        f"≥ {least:g}×" if least else "",
        ratio >= least if least else None,
    )


def _twins(samples: Record) -> list[str]:
    return [name for name in samples if name.startswith("twin")]


def _agreement_rows(record: Record) -> Iterator[Row]:
    if record["twin"]:
        apart, most = (record["twin"]["agreement"][k] for k in ("largest_difference", "allowed"))
        what = "twin against ours, same weights, fp32: largest difference of probability"
        yield Row(what, f"{apart:.1g}", "", None, f"≤ {most:g}", apart <= most)


def _network_rows(record: Record) -> Iterator[Row]:
    samples = record["network"]
    fastest = best(samples, suffix="scene")
    what = "network part of a scene"
    if fastest and TWIN in samples:
        yield _versus(what, samples, fastest, TWIN, 10.0)
        others = [n for n in samples if n != fastest and not n.startswith("twin")]
        yield from (_versus(what, samples, name, TWIN) for name in others)
        peers = [n for n in _twins(samples) if n != TWIN]
        yield from (_versus(what, samples, fastest, name) for name in peers)
    elif fastest:
        yield Row(f"{what}: {fastest}", seconds(samples[fastest]), "")
    for name, sample in record["device"].items():
        met = sample["median_s"] <= 4e-3
        yield Row(
            f"GPU time of a scene: {name}", seconds(sample, 1e3, "ms"), "", None, "≤ 4 ms", met
        )


def _folder_rows(record: Record) -> Iterator[Row]:
    samples = record["folder"]
    fastest = best(samples)
    for name in samples:
        if TWIN in samples and not name.startswith("twin"):
            least = 8.0 if name == fastest else 0.0
            yield _versus("HDF scene, file to mask file", samples, name, TWIN, least)
    if fastest and TWIN not in samples:
        yield Row(f"HDF scene, file to mask file: {fastest}", seconds(samples[fastest]), "")


def _pipeline_rows(record: Record) -> Iterator[Row]:
    for name, found in record["pipeline"].items():
        slowest, ratio = share(found)
        yield Row(
            f"folder command, {name}: a scene",
            seconds(found["together"]),
            f"its slowest stage alone, {slowest}: {seconds(found[slowest])}",
            ratio,
            "≥ 0.8",
            ratio >= 0.8,
        )


def _packing_rows(record: Record) -> Iterator[Row]:
    packing = record["packing"]
    for name, ratio in packing["share_of_reading_whole_files"].items():
        timed, cache = packing["seconds_a_scene"], name.rsplit(", ", 1)[1]
        yield Row(
            f"packing a scene: {name}",
            seconds(timed[name]),
            f"reading its file: {seconds(timed[f'read, {cache}'])}",
            ratio,
            "≥ 0.5",
            ratio >= 0.5,
        )


def _training_rows(record: Record) -> Iterator[Row]:
    samples = record["training"]
    fastest = best(samples)
    rates = {name: f"{1 / sample['median_s']:.3g} patches/s" for name, sample in samples.items()}
    for ours in samples:
        if ours.startswith("twin"):
            continue
        for theirs in _twins(samples) if ours == fastest else _twins(samples)[:1]:
            ratio = samples[theirs]["median_s"] / samples[ours]["median_s"]
            held = ours == fastest and theirs == TWIN
            bar, met = ("≥ 2.5×", ratio >= 2.5) if held else ("", None)
            against = f"{theirs}: {rates[theirs]}"
            yield Row(f"training, batch 32: {ours}", rates[ours], against, ratio, bar, met)
    if fastest:
        epoch = EPOCH_PATCHES * samples[fastest]["median_s"]
        on_gpu = record["hardware"]["device"] == "cuda"
        bar, met = ("≤ 5 s", epoch <= 5) if on_gpu else ("", None)
        what = f"training, {EPOCH_PATCHES} patches at that rate: {fastest}"
        yield Row(what, f"{epoch:.3g} s", "", None, bar, met)


def _memory_rows(record: Record) -> Iterator[Row]:
    for name, most in (("predict", 2.5), ("train", 8.0)):
        if name in record["memory"]:
            used = record["memory"][name]["peak_bytes"] / GB
            yield Row(
                f"peak memory, {name}", f"{used:.2f} GB", "", None, f"≤ {most} GB", used <= most
            )
    if "twin" in record["memory"]:
        used = record["memory"]["twin"]["peak_bytes"] / GB
        yield Row("peak memory, twin, all that it did", "", f"{used:.2f} GB")
    for part, found in record["quietness"].items():
        if "gpu_peak_bytes" in found:
            yield Row(
                f"peak memory of the GPU, {part}", f"{found['gpu_peak_bytes'] / GB:.2f} GB", ""
            )


def _ceiling_rows(record: Record) -> Iterator[Row]:
    ceilings = {c["name"]: c["best"] for c in record["ceilings"]}
    precision = record["precision"]
    flops = max((v for k, v in ceilings.items() if k.startswith(f"matmul {precision}")), default=0)
    scene, flop = best(record["network"], suffix=f"{precision} scene"), record["scene_flop"]
    done = (
        ("scene", scene, record["network"], flop),
        ("scene by GPU time", best(record["device"]), record["device"], flop),
        ("training", best(record["training"]), record["training"], TRAINING_FLOP),
    )
    for what, name, samples, flop in done:
        if name and flops:
            rate = flop / samples[name]["median_s"]
            against = f"matrix multiply {flops / 1e12:.3g} TFLOP/s"
            yield Row(f"{what}: {name}", f"{rate / 1e12:.3g} TFLOP/s", against, rate / flops)
    disk = ceilings.get("disk read, page cache")
    fastest = best(record["folder"])
    if disk and fastest:
        rate = record["scene_bytes"] / record["folder"][fastest]["median_s"]
        against = f"reading cached files {disk / GB:.3g} GB/s"
        yield Row(
            f"folder, bytes of files: {fastest}", f"{rate / GB:.3g} GB/s", against, rate / disk
        )
