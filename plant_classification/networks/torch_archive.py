"""Reading a PyTorch state dictionary without PyTorch, and without running what a pickle asks for.

Reads the format that ``torch.save`` wrote before PyTorch 1.6: three pickled headers; the pickled
dictionary, whose tensors are views of storages with a key; the pickled order of these keys; then,
for each storage, its length (``int64``) and its numbers, little-endian.
"""

from __future__ import annotations

import collections
import pickle  # nosec B403
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class View(NamedTuple):
    """A tensor: where it lies in the storage of that key, counted in numbers, not bytes."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Read the named tensors of a ``.pth`` file.

    Args:
        path: The file.

    Returns:
        Arrays of ``float32`` or ``int64`` by name, in the order of the file.

    Raises:
        ValueError: Another format, a file cut short, or a pickle that asks for more than tensors.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, ValueError, EOFError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is not a PyTorch state dictionary of the format before 1.6: {error}"
        ) from None


def _read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    magic, protocol, system = (_Unpickler(file).load() for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL or not system["little_endian"]:
        raise ValueError("the header is another one")
    unpickler = _Unpickler(file)
    views: dict[str, View] = unpickler.load()
    numbers = {}
    for key in _Unpickler(file).load():
        (count,) = np.frombuffer(file.read(8), "<i8")
        dtype = unpickler.dtypes[key]
        numbers[key] = np.frombuffer(file.read(int(count) * dtype.itemsize), dtype, count)
    return {name: _tensor(numbers[view.key], view) for name, view in views.items()}


def _tensor(numbers: NDArray[Any], view: View) -> NDArray[Any]:
    last = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.stride, strict=True))
    if min((view.offset, *view.shape, *view.stride)) < 0 or last >= len(numbers):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [step * numbers.itemsize for step in view.stride]
    strided = np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, strides)
    return np.ascontiguousarray(strided)


class _Unpickler(pickle.Unpickler):
    """Knows an ordered dictionary, a tensor and two storages; each is rebuilt as plain data."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, stride, *_: View(key, offset, shape, stride)
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, reference: Any) -> str:
        _, dtype, key, *_ = reference
        self.dtypes[key] = dtype
        return str(key)
