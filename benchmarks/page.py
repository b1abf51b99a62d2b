"""A record as text: what was measured on, and its tables, to paste into ``docs/performance.md``.

print(markdown(record))
"""

from benchmarks.table import EMPTY, GB, Record, ratio_rows


def conditions(record: Record) -> str:
    """Return in one paragraph what was measured on, when, and how quiet it was."""
    record = {**EMPTY, **record}
    hardware, software, twin = record["hardware"], record["software"], record["twin"]
    where = hardware["accelerator"] or hardware["processor"]
    peer = "no twin: no TensorFlow"
    if twin:
        versions = f"TensorFlow {twin['tensorflow']}, Keras {twin['keras']}"
        peer = f"{versions}, the twin with {twin['parameters']} parameters"
    watched = record["quietness"]
    quiet = ", ".join(
        f"{part} {100 * found['busy_elsewhere']:.0f} %" for part, found in watched.items()
    )
    timed = {part: record[part] for part in ("network", "folder", "training") if record[part]}
    runs = ", ".join(
        f"{part} {len(next(iter(samples.values()))['runs_s'])}" for part, samples in timed.items()
    )
    load = next(iter(watched.values()))["load_average"][0][0] if watched else float("nan")
    return (
        f"{where}, {hardware['cores']} cores, {hardware['memory_gib']} GiB; "
        f"torch {software['torch']}, {hardware['threads']} threads; {peer}. "
        f"Commit {software['commit'] or 'unknown'}, {record['time']}, load average {load:.1f} "
        f"before; processor time that others took meanwhile: {quiet}. Runs that count: {runs}."
    )


def markdown(record: Record) -> str:
    """Return the tables and what they were measured on, to paste into ``docs/performance.md``."""
    record = {**EMPTY, **record}
    failed = [f"Not measured: {part}: {why}" for part, why in record["failed"].items()]
    lines = [
        conditions(record),
        *failed,
        "",
        "| measured | ours | against | ratio | asked | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    words = {True: "yes", False: "**no**", None: ""}
    for row in ratio_rows(record):
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        lines.append(
            f"| {row.what} | {row.ours} | {row.against} | {ratio} | {row.bar} | {words[row.met]} |"
        )
    lines += _accuracy_lines(record["accuracy"]["rows"])
    lines += ["", "| ceiling | best | median |", "| --- | --- | --- |"]
    for c in record["ceilings"]:
        unit, scale = ("TFLOP/s", 1e12) if c["unit"] == "FLOP/s" else ("GB/s", GB)
        lines.append(
            f"| {c['name']} | {c['best'] / scale:.3g} {unit} | {c['median'] / scale:.3g} |"
        )
    lines += ["", "| layer alone | ms | FLOP/B | TFLOP/s | of the roof |", "| --- " * 5 + "|"]
    for p in record["layers"]:
        rate = f"{p['flop_per_s'] / 1e12:.3g}"
        intensity = f"{p['flop_per_byte']:.3g}"
        ms, share = f"{1e3 * p['seconds']:.3g}", f"{100 * p['share']:.0f} %"
        lines.append(f"| {p['name']} | {ms} | {intensity} | {rate} | {share} |")
    return "\n".join(lines) + "\n"


def _accuracy_lines(rows: list[Record]) -> list[str]:
    """Return the table of how near engines are to PyTorch in float32."""
    if not rows:
        return []
    lines = ["", "| weights | input | engine | relative error | flipped |", "| --- " * 5 + "|"]
    for row in rows:
        error, flipped = f"{row['relative_error']:.1e}", f"{100 * row['flipped']:.3g} %"
        lines.append(
            f"| {row['weights']} | {row['input']} | {row['engine']} | {error} | {flipped} |"
        )
    return lines
