"""Training over two nodes: two network namespaces that see each other through one cable."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from slstr_cloudmask.cli.app import app
from slstr_cloudmask.network.model_file import load_model
from slstr_cloudmask.simulate.dataset import simulate_dataset
from slstr_cloudmask.simulate.plan import DatasetConfig

pytestmark = pytest.mark.slow

# Addresses for documentation (RFC 5737): they mean nothing outside the namespaces.
ADDRESSES = ("192.0.2.1", "192.0.2.2")
PORT = 29517
CARD = "cloudmask"
PATIENCE_S = 500


def ip(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def nodes() -> Iterator[tuple[str, str]]:
    """Two namespaces, each with one of a pair of virtual cards, of the same name in both."""
    if shutil.which("ip") is None:
        pytest.skip("ip (iproute2) is not installed")
    names = tuple(f"cloudmask-{os.getpid()}-{number}" for number in (0, 1))
    cards = [f"cm{os.getpid() % 100000}-{number}" for number in (0, 1)]
    with ExitStack() as stack:
        for name in names:
            if (made := ip("netns", "add", name)).returncode:
                pytest.skip(f"network namespaces are not permitted here: {made.stderr.strip()}")
            stack.callback(ip, "netns", "delete", name)
        made = ip("link", "add", cards[0], "type", "veth", "peer", "name", cards[1])
        if made.returncode:
            pytest.skip(f"virtual network cards are not permitted here: {made.stderr.strip()}")
        for name, card, address in zip(names, cards, ADDRESSES, strict=True):
            for command in (
                ("link", "set", card, "netns", name, "name", CARD),
                ("-n", name, "address", "add", f"{address}/24", "dev", CARD),
                ("-n", name, "link", "set", CARD, "up"),
                ("-n", name, "link", "set", "lo", "up"),
            ):
                assert ip(*command).returncode == 0, command
        yield names[0], names[1]


def train_command(store: Path, run: Path) -> list[str]:
    options = ["--epochs", "2", "--batch-size", "4", "--patch-size", "16", "--precision", "fp32"]
    return ["train", str(store), "-o", str(run), "--device", "cpu", *options]


def cloudmask(*arguments: str) -> None:
    """Run a command in this process."""
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 0, answer.output


def test_two_nodes_train_what_one_process_does(nodes: tuple[str, str], tmp_path: Path) -> None:
    simulate_dataset(tmp_path, DatasetConfig(scenes=4, test_scenes=1, size=(32, 48), seed=1))
    store, alone, together = tmp_path / "store", tmp_path / "alone", tmp_path / "together"
    cloudmask("pack", str(tmp_path / "one-day"), "-o", str(store), "--patch-size", "16", "--jobs=1")
    cloudmask(*train_command(store, alone))

    launches = []
    for number, (name, address) in enumerate(zip(nodes, ADDRESSES, strict=True)):
        torchrun = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
        meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:{PORT}"]
        # Both have the machine's name, which tells neither that the endpoint is its own.
        here = ["--local-addr", address, "--rdzv-conf", f"is_host={int(number == 0)}"]
        training = ["-m", "slstr_cloudmask", *train_command(store, together)]
        launches.append(
            subprocess.Popen(
                [
                    "ip",
                    "netns",
                    "exec",
                    name,
                    sys.executable,
                    *torchrun,
                    *meeting,
                    *here,
                    *training,
                ],
                env=os.environ | {"GLOO_SOCKET_IFNAME": CARD},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        said = [launch.communicate(timeout=PATIENCE_S)[0] for launch in launches]
    finally:
        for launch in launches:
            launch.kill()
            launch.wait()
    assert [launch.returncode for launch in launches] == [0, 0], said

    assert load_model(together / "model").config.training["epochs"] == 2
    one, two = (load_file(run / "model" / "model.safetensors") for run in (alone, together))
    assert one.keys() == two.keys()
    for name, weights in one.items():
        # Gradients are averaged in another order: the same but for rounding, over a few steps.
        assert abs(weights - two[name]).max() < 1e-4, name
