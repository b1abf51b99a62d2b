"""Settings of the test run."""

import os

from hypothesis import settings

# Tests run side by side on all cores; threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run, however busy the machine is.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")
