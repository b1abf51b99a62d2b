"""Detectors on scenes, scored against labels, in every stratum.

    result = assess(find_scenes("data"), make_plan(["thresholds", "provider"], ["truth"]))
    summarise_pool(result.pool)

``contenders`` are what is scored, ``labels`` what it is scored against, ``run`` does it.
"""

from slstr_cloudmask.assessment.run import Assessment, Plan, assess, make_plan

__all__ = ["Assessment", "Plan", "assess", "make_plan"]
