"""Which answer to wrong labels helps: every loss and sampler, over several seeds, in one table.

    python recipes/label_noise.py --bayes STORE --coasts STORE --agreed STORE --masks STORE \
        --truth STORE -o OUT

All learn from the same scenes; stores are packed by ``recipes/study.sh``. Scored on the packed
patches of other scenes against their truth (``--truth``): the Kuipers skill and accuracy at a
probability of 0.5, and the skill at the best threshold, which nobody knows without truth. OUT gets
a line of JSON a run; what is there is not run again. Processes may add to one file, each with seeds
of its own.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slstr_cloudmask.evaluation.counts import Counts
from slstr_cloudmask.network.inputs import network_inputs
from slstr_cloudmask.network.unet import UNet
from slstr_cloudmask.training.config import TrainConfig
from slstr_cloudmask.training.loop import train
from slstr_cloudmask.training.store import Store, open_store

WIDTHS = (8, 16, 32, 64)
# Name in the table, the store that is learnt from, and what differs from the plain run.
METHODS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("provider's labels, cross-entropy", "bayes", {}),
    ("label smoothing 0.1", "bayes", {"label_smoothing": 0.1}),
    ("edges of 2 pixels ignored", "bayes", {"ignore_edges_px": 2}),
    ("coasts of 5 pixels ignored", "coasts", {}),
    ("generalised cross-entropy", "bayes", {"loss": "generalised"}),
    ("symmetric cross-entropy", "bayes", {"loss": "symmetric"}),
    ("bootstrapped", "bayes", {"loss": "bootstrapped"}),
    ("early-learning", "bayes", {"loss": "early_learning"}),
    ("co-teaching", "bayes", {"loss": "co_teaching"}),
    ("forward correction", "bayes", {"loss": "forward"}),
    ("agreement with label-free masks", "agreed", {}),
    ("agreement, generalised", "agreed", {"loss": "generalised"}),
    ("label-free masks alone", "masks", {}),
)
LABELS = sorted({label for _, label, _ in METHODS})
LEVELS = 200  # thresholds that the best is looked for among


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("bayes", "coasts", "agreed", "masks", "truth"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"store of label {name}")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON lines, kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--patches", type=int, default=480, help="that each run learns from")
    given = parser.parse_args()
    stores = {name: open_store(getattr(given, name)) for name in LABELS}
    judged = open_store(given.truth)
    done = _read(given.output)
    for seed in given.seeds:
        for name, label, changes in METHODS:
            if any(row["method"] == name and row["seed"] == seed for row in done):
                continue
            config = TrainConfig(
                epochs=1, epoch_patches=given.patches, batch_size=4, widths=WIDTHS, seed=seed,
                optimiser="muon", learning_rate=3e-3, schedule="one_cycle", augment="d4",
                train_split=0.95, patience=None, compile=False, head_from_zero=True, **changes,
            )  # fmt: skip
            network = train(config, stores[label], device=torch.device("cpu")).network
            row = {
                "method": name,
                "seed": seed,
                "patches": given.patches,
                **scores(network, judged),
            }
            done.append(row)
            with given.output.open("a") as file:
                file.write(json.dumps(row) + "\n")
    sys.stdout.write(table(done) + "\n")


def scores(network: UNet, store: Store) -> dict[str, float]:
    """Score a network on every third patch of a store."""
    cloud, clear = np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64)
    for probability, label in _answers(network, store):
        level = np.minimum((probability * LEVELS).astype(int), LEVELS - 1)
        cloud += np.bincount(level[label], minlength=LEVELS)
        clear += np.bincount(level[~label], minlength=LEVELS)
    at = [
        Counts(
            tp=int(cloud[i:].sum()), fp=int(clear[i:].sum()),
            tn=int(clear[:i].sum()), fn=int(cloud[:i].sum()),
        )
        for i in range(LEVELS)
    ]  # fmt: skip
    half = at[LEVELS // 2]
    return {
        "kuipers": half.kuipers,
        "accuracy": half.accuracy,
        "best_kuipers": max(count.kuipers for count in at if count.total),
    }


def _answers(network: UNet, store: Store) -> Iterator[tuple[Any, Any]]:
    coding, normaliser = store.manifest.coding, store.manifest.normaliser
    for number in range(0, store.manifest.patches, 3):
        x_NCHW = torch.from_numpy(np.array(store.inputs_NHWC[number])).permute(2, 0, 1)[None]
        label, known, _ = coding.decoded(np.array(store.labels_NHW[number]))
        with torch.inference_mode():
            logits = network(network_inputs(x_NCHW, normaliser))[0, 0]
        yield torch.sigmoid(logits).numpy()[known], label[known] >= 0.5


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table as Markdown: means over seeds, and their standard deviation."""
    lines = [
        "| | seeds | Kuipers | accuracy | Kuipers at the best threshold |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, *_ in METHODS:
        found = [row for row in rows if row["method"] == name]
        if not found:
            continue
        cells = [
            _spread([row[score] for row in found])
            for score in ("kuipers", "accuracy", "best_kuipers")
        ]
        lines.append(f"| {name} | {len(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
