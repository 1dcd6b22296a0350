from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plant_classification.networks import torch_archive
from plant_classification.networks.torch_archive import read_state_dict


def write_archive(path: Path, *, name: str = "_rebuild_tensor_v2", offset: int = 1) -> None:
    """A file with one tensor of the shape (2, 3), stored by columns from the second number on.

    The dictionary is written in the text form of pickle, since PyTorch is not there to do it.
    """
    tensor = (
        f"(dS'weight'\nctorch._utils\n{name}\n"
        "((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI7\nNtQ"
        f"I{offset}\n(I2\nI3\nt(I1\nI2\ntI00\nNtRs."
    )
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    headers = [torch_archive.MAGIC, torch_archive.PROTOCOL, system]
    content = b"".join(pickle.dumps(header, 2) for header in headers)
    content += tensor.encode() + pickle.dumps(["0"], 2)
    content += np.int64(7).tobytes() + np.arange(7, dtype="<f4").tobytes()
    path.write_bytes(content)


def test_a_tensor_is_read_with_its_offset_and_strides(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write_archive(path)
    state = read_state_dict(path)
    assert list(state) == ["weight"]
    np.testing.assert_array_equal(state["weight"], [[1, 3, 5], [2, 4, 6]])
    assert state["weight"].dtype == np.float32


def test_a_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write_archive(path, offset=2)
    with pytest.raises(ValueError, match="reaches beyond its storage"):
        read_state_dict(path)


def test_a_pickle_that_asks_for_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write_archive(path, name="_rebuild_parameter")
    with pytest.raises(ValueError, match=r"asks for torch\._utils\._rebuild_parameter"):
        read_state_dict(path)


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "was here"),)

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ValueError, match=r"asks for \w+\.mkdir"):
        read_state_dict(path)
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("length", [0, 10, 100, 262])
def test_a_file_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "weights.pth"
    write_archive(path)
    content = path.read_bytes()
    path.write_bytes(content[:length])
    with pytest.raises(ValueError, match="not a PyTorch state dictionary"):
        read_state_dict(path)


def test_another_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(1) + pickle.dumps(2) + pickle.dumps(OrderedDict()))
    with pytest.raises(ValueError, match="not a PyTorch state dictionary"):
        read_state_dict(path)
