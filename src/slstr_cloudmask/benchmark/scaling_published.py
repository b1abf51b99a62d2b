"""The published scaling of the benchmark, to set beside one's own."""

from slstr_cloudmask.benchmark.published_runs import published_scaling

PEARL_NAME = "PEARL, DGX-2 with V100, read off a chart"


def published_rows() -> list[dict[str, float]]:
    """Return ranks, seconds an epoch, speed-up and efficiency."""
    alone, *_ = seconds = {row.gpus: row.seconds_per_epoch for row in published_scaling()}
    return [
        {
            "ranks": ranks,
            "epoch_seconds": taken,
            "speed_up": seconds[alone] / taken,
            "efficiency": seconds[alone] / taken / ranks,
        }
        for ranks, taken in seconds.items()
    ]
