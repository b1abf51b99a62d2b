"""What MLPerf's compliance checker says of a log, with the package's rules.

faults = compliance_faults(Path("RUN/mlperf.log"))     # empty where it passes
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from slstr_cloudmask.benchmark.mlperf_log import COMPLIANCE_RULES

RULES = ("--usage", "hpc", "--ruleset", "3.0.0", "--config", str(COMPLIANCE_RULES), "--werror")
_FAILED_TEST = "failed test:"


def compliance_faults(log: Path) -> list[str]:
    """Run the checker over a log; return what it finds wrong, a line each."""
    command = [sys.executable, "-m", "mlperf_logging.compliance_checker", *RULES]
    with tempfile.TemporaryDirectory() as folder:  # the checker leaves a log of its own
        run = subprocess.run(
            [*command, str(log.absolute())], cwd=folder, capture_output=True, text=True, check=False
        )
    if run.returncode == 0 and "SUCCESS" in run.stderr:
        return []
    found = list(_messages(run.stderr))
    return found or [f"the compliance checker ended with exit code {run.returncode}"]


def _messages(text: str) -> Iterator[str]:
    """Yield what the checker found: the first line of each message, and the test that failed."""
    head, begins = "", False
    for line in text.splitlines():
        if begins or line.startswith("WARNING -"):
            if head:
                yield head
            head = line.removeprefix("WARNING -").strip()
        elif line.startswith(_FAILED_TEST):
            head += f" {line.removeprefix(_FAILED_TEST).strip()}"
        begins = line.startswith("-----")
    if head:
        yield head
