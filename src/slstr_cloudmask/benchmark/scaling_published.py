"""The published scaling of the benchmark, to set beside one's own."""

# MLCommons Science working group, slides, page 9: PEARL's DGX-2, 20 epochs of the reference under
# MirroredStrategy. Seconds an epoch by number of V100, read off a chart: to a few per cent.
PEARL_SECONDS = {1: 530.0, 2: 515.0, 4: 240.0, 8: 130.0, 16: 75.0, 32: 45.0}
PEARL_NAME = "PEARL, DGX-2 with V100, read off a chart"


def published_rows() -> list[dict[str, float]]:
    """Return ranks, seconds an epoch, speed-up and efficiency."""
    alone = PEARL_SECONDS[1]
    return [
        {
            "ranks": ranks,
            "epoch_seconds": seconds,
            "speed_up": alone / seconds,
            "efficiency": alone / seconds / ranks,
        }
        for ranks, seconds in PEARL_SECONDS.items()
    ]
