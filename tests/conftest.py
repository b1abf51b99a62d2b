"""Settings of the test run."""

import os

# Tests run side by side on all cores; threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
