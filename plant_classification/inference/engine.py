"""The network on OpenVINO: uint8 photos in, logits and the last feature map out."""

from __future__ import annotations

import collections
import os
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.openvino import core, import_openvino
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import PRECISIONS


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    """A compiled network: one inference at a time, from any thread, or many photos side by side.

    Photos go through one by one, so that an answer does not depend on what else is in a batch.

    Args:
        network: ``network.xml``; its ``.bin`` is beside it. Input ``float32 (?, size, size, 3)``,
            outputs ``logits`` and ``features``.
        preprocessing: The rule whose normalisation is compiled into the network.
        precision: ``"auto"``, ``"f32"`` or ``"bf16"``.
        threads: Processors to use; 0 for all that this process may use.
        for_many: Whether it is compiled for :meth:`each`: a third more photos a second, but each
            takes longer.
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
            },
        )
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._outputs = [compiled.output("logits"), compiled.output("features")]
        self.label_count = int(self._outputs[0].shape[-1])
        self.feature_count = int(self._outputs[1].shape[-1])
        self._lock = threading.Lock()

    def __call__(
        self, pixels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network.

        Args:
            pixels: ``uint8 (N, size, size, 3)`` RGB.

        Returns:
            Logits ``float32 (N, labels)`` and the last feature map ``float32 (N, h, w, D)``.
        """
        logits, features = zip(*(self._infer(photo[np.newaxis]) for photo in pixels), strict=True)
        return np.concatenate(logits), np.concatenate(features)

    def each(
        self,
        photos: Iterable[tuple[Any, NDArray[np.uint8]]],
        take: Callable[[Any, NDArray[np.float32], NDArray[np.float32]], None],
    ) -> None:
        """Run the network on many photos, each alone, several at a time.

        Args:
            photos: What each is called, and its pixels ``uint8 (size, size, 3)`` RGB; the next one
                is asked for when there is room for it.
            take: Called with what the photo is called, its logits ``float32 (labels,)`` and its
                last feature map ``float32 (h, w, D)``, one photo at a time, in any thread and
                order; the arrays are good until it returns. What it raises ends the run.
        """
        count = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(count):
            idle.put(self._compiled.create_infer_request())
        taking = threading.Lock()

        def run(name: Any, pixels: NDArray[np.uint8]) -> None:
            request = idle.get()
            try:
                request.infer([np.ascontiguousarray(pixels[np.newaxis])], share_inputs=True)
                logits, features = (request.get_tensor(output).data[0] for output in self._outputs)
                with taking:
                    take(name, logits, features)
            finally:
                idle.put(request)

        # The first use of OpenVINO's table of types must not come from two threads: it deadlocks.
        self._infer(np.zeros(self._request.get_input_tensor().shape, np.uint8))
        running: collections.deque[Future[None]] = collections.deque()
        with ThreadPoolExecutor(count) as pool:
            for name, pixels in photos:
                running.append(pool.submit(run, name, pixels))
                if len(running) > 2 * count:
                    running.popleft().result()
            while running:
                running.popleft().result()

    def _infer(self, photo: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with self._lock:
            self._request.infer([np.ascontiguousarray(photo)], share_inputs=True)
            logits, features = (
                np.array(self._request.get_tensor(output).data, np.float32)
                for output in self._outputs
            )
        return logits, features
