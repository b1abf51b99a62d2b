"""What the MLPerf log states about a run before it starts."""

from typing import Any

from slstr_cloudmask import __version__
from slstr_cloudmask.benchmark.config import BenchmarkConfig
from slstr_cloudmask.training.keras_adam import EPSILON
from slstr_cloudmask.training.store import Store

# Of the rules and the reference that this follows (mlcommons/science, benchmarks/cloudmask,
# VERSION.txt).
BENCHMARK_VERSION = "mlcommons-cloudmask-v1.1"


def submission_facts(config: BenchmarkConfig, commit: str | None) -> dict[str, Any]:
    """Who submits what, of which version and commit."""
    given = config.submission.model_dump()
    return {
        **{f"submission_{name}": value for name, value in given.items()},
        "submission_version": BENCHMARK_VERSION,
        # The policy spells it so (mlcommons/science, policy.adoc 0.5).
        "submissiom_version": BENCHMARK_VERSION,
        "implementation": f"slstr-cloudmask-{__version__}",
        "submission_github_commit_version": commit,
        "cache_clear": config.cache_cleared,
    }


def run_facts(config: BenchmarkConfig, store: Store, found: dict[str, Any]) -> dict[str, Any]:
    """Ranks and accelerators as found, samples and hyperparameters."""
    train = config.train
    train_scenes, validation_scenes = store.split(train.train_split, train.seed, train.split)
    return {
        "number_of_ranks": found["ranks"],
        "number_of_nodes": found["nodes"],
        "accelerators_per_node": found["accelerators_per_node"],
        "seed": config.train.seed,
        "global_batch_size": config.train.batch_size,
        "gradient_accumulation_frequency": 1,
        "train_samples": sum(scene.count for scene in train_scenes),
        "eval_samples": sum(scene.count for scene in validation_scenes),
        "opt_name": config.train.optimiser.capitalize(),
        "opt_learning_rate_schedule": config.train.schedule,
        "opt_base_learning_rate": config.train.learning_rate,
        "opt_epsilon": EPSILON,
    }
