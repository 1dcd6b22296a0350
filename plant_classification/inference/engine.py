"""The network on OpenVINO: uint8 photos in, logits and the last feature map out."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError, ModelFolderError
from plant_classification.models import ModelFolder
from plant_classification.models.folder import COPY_AGAIN, NETWORK, NETWORK_WEIGHTS
from plant_classification.openvino import core, import_openvino
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.processes import processors
from plant_classification.settings import PRECISIONS

LOG = logging.getLogger(__name__)

Pair: TypeAlias = "tuple[NDArray[np.float32], NDArray[np.float32]]"
Take: TypeAlias = "Callable[[NDArray[np.float32], NDArray[np.float32]], Pair]"
"""What is taken of a request's outputs before another photo overwrites them."""


def choose_precision(wanted: str, capabilities: list[str]) -> str:
    """``"bf16"`` or ``"f32"``: ``"auto"`` takes bf16 where the processor computes in it.

    Raises:
        ArgumentError: Another word, or bf16 on a processor that lacks it.
    """
    has_bf16 = "BF16" in capabilities
    if wanted == "auto":
        return "bf16" if has_bf16 else "f32"
    if wanted not in PRECISIONS:
        raise ArgumentError(
            f"precision must be {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}, not {wanted!r}.",
            field="precision",
        )
    if wanted == "bf16" and not has_bf16:
        raise ArgumentError("This processor does not compute in bf16; use f32.", field="precision")
    return wanted


class Engine:
    """A compiled network, for any number of threads.

    Photos go through one by one, so that an answer does not depend on what else is in a batch.

    Args:
        network: ``network.xml``; its ``.bin`` is beside it. Input ``float32 (?, size, size, 3)``,
            outputs ``logits`` and ``features``.
        preprocessing: The rule whose normalisation is compiled into the network.
        precision: ``"auto"``, ``"f32"`` or ``"bf16"``.
        threads: Processors to use; 0 for all that this process may use.
        for_many: Whether several photos go side by side, asked for by several threads: a third more
            photos a second, but each takes longer. Else one goes after the other.
    """

    def __init__(
        self,
        network: Path,
        preprocessing: Preprocessing,
        precision: str = "auto",
        threads: int = 0,
        *,
        for_many: bool = False,
    ) -> None:
        ov = import_openvino()
        self.precision = choose_precision(
            precision, core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        )
        model = core().read_model(network)
        size = preprocessing.size
        model.reshape([1, size, size, 3])
        steps = ov.preprocess.PrePostProcessor(model)
        photo = steps.input()
        photo.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        photo.model().set_layout(ov.Layout("NHWC"))
        convert = photo.preprocess().convert_element_type(ov.Type.f32)
        if preprocessing.channels == "BGR":
            convert = convert.reverse_channels()
        convert.mean(list(preprocessing.mean)).scale(list(preprocessing.scale))
        compiled = core().compile_model(
            steps.build(),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": self.precision,
                "PERFORMANCE_HINT": "THROUGHPUT" if for_many else "LATENCY",
                "INFERENCE_NUM_THREADS": threads or processors(),
                # Engines that share the machine would all be bound to the same first processors.
                "ENABLE_CPU_PINNING": not 0 < threads < processors(),
            },
        )
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        many = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")) if for_many else 1
        for _ in range(many):
            self._idle.put(compiled.create_infer_request())
        self._outputs = [compiled.output("logits"), compiled.output("features")]
        self.label_count = int(self._outputs[0].shape[-1])
        self.feature_count = int(self._outputs[1].shape[-1])
        # The first use of OpenVINO's table of types must not come from two threads: it deadlocks.
        self.brief(np.zeros((size, size, 3), np.uint8))

    def __call__(
        self, pixels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network.

        Args:
            pixels: ``uint8 (N, size, size, 3)`` RGB.

        Returns:
            Logits ``float32 (N, labels)`` and the last feature map ``float32 (N, h, w, D)``.

        Raises:
            ModelFolderError: The network answers with NaN or infinity.
        """
        if len(pixels) == 1:
            return self._infer(pixels[0], _copied)
        logits, features = zip(*(self._infer(photo, _copied) for photo in pixels), strict=True)
        return np.concatenate(logits), np.concatenate(features)

    def brief(self, photo: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network on one photo; of its feature map the mean is kept.

        Args:
            photo: ``uint8 (size, size, 3)`` RGB.

        Returns:
            Logits ``float32 (labels,)`` and ``float32 (D,)``.

        Raises:
            ModelFolderError: The network answers with NaN or infinity.
        """
        return self._infer(photo, _briefly)

    def _infer(self, photo: NDArray[np.uint8], take: Take) -> Pair:
        request = self._idle.get()
        try:
            request.infer([np.ascontiguousarray(photo[np.newaxis])], share_inputs=True)
            logits, features = take(*(request.get_tensor(one).data for one in self._outputs))
        finally:
            self._idle.put(request)
        if not np.isfinite(logits).all() or not np.isfinite(features).all():
            raise ModelFolderError(
                "The network answers with NaN or infinity; train the model anew."
            )
        return logits, features


def precision_of(model: ModelFolder, wanted: str) -> str:
    """What a model is computed in; ``"auto"`` is f32 for a model of the old service, else bf16.

    Raises:
        ArgumentError: As :func:`choose_precision`.
    """
    if wanted == "auto" and model.is_imported:
        wanted = "f32"
    return choose_precision(wanted, core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def engine_of(
    model: ModelFolder, precision: str = "auto", threads: int = 0, *, for_many: bool = False
) -> Engine:
    """The engine of a model folder.

    Args:
        model: The folder.
        precision: As the engine takes it; ``"auto"`` is f32 for a model of the old service, whose
            numbers so are the same to 1e-4.
        threads: As the engine takes it.
        for_many: The same.

    Raises:
        ModelFolderError: A file is missing or damaged, or does not fit the labels.
        ArgumentError: The precision cannot be used.
    """
    model.file(NETWORK_WEIGHTS)
    network = model.file(NETWORK)
    precision = precision_of(model, precision)
    try:
        engine = Engine(network, model.preprocessing, precision, threads, for_many=for_many)
    except (RuntimeError, TypeError) as error:  # what OpenVINO raises
        LOG.error("%s: %s", network, error)
        raise ModelFolderError(f"{network} cannot be used. {COPY_AGAIN}") from None
    if engine.label_count != model.label_count:
        raise ModelFolderError(
            f"{network} has {engine.label_count} outputs for {model.label_count} labels."
        )
    return engine


def _copied(logits: NDArray[np.float32], features: NDArray[np.float32]) -> Pair:
    return np.array(logits, np.float32), np.array(features, np.float32)


def _briefly(logits: NDArray[np.float32], features: NDArray[np.float32]) -> Pair:
    mean = features.reshape(-1, features.shape[-1]).mean(axis=0, dtype=np.float32)
    return np.array(logits[0], np.float32), mean
