"""Many runs of the benchmark: what is tried, where it runs, what came of it."""
