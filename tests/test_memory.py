"""What is left of memory where a control group allows less than the machine has."""

from pathlib import Path

import psutil
import pytest

from slstr_cloudmask.training.memory import available_bytes

MB = 2**20


def group(folder: Path, limit: str, used: int, cached: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/slice/job\n")
    group(tmp_path / "root" / "slice" / "job", str(100 * MB), 70 * MB, 20 * MB)
    # 100 - 70 used, of which 20 are files that can be read again.
    assert available_bytes(tmp_path / "root", membership) == 50 * MB
    group(tmp_path / "root" / "slice", str(40 * MB), 10 * MB)
    assert available_bytes(tmp_path / "root", membership) == 30 * MB
    group(tmp_path / "root" / "slice", str(40 * MB), 45 * MB)
    assert available_bytes(tmp_path / "root", membership) == 0


@pytest.mark.parametrize("text", [None, "4:memory:/job\n", "0::/elsewhere\n"])
def test_without_a_limit_it_is_the_machines(tmp_path: Path, text: str | None) -> None:
    membership = tmp_path / "cgroup"
    if text is not None:
        membership.write_text(text)
    group(tmp_path / "root", "max", 5)
    free = psutil.virtual_memory().available
    assert available_bytes(tmp_path / "root", membership) == pytest.approx(free, rel=0.2)
