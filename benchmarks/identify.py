"""How fast identification is: ratios, each of two things measured in turn in one run.

Run it with ``python benchmarks/identify.py`` on a machine that does nothing else. Needs the extra
``train``, for TensorFlow is what the engine is compared with.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import requests
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from benchmarks.timing import in_turn
from plant_classification import Classifier
from plant_classification.inference.engine import Engine
from plant_classification.models import write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.taxonomy import label_of

PHOTO = Path(__file__).resolve().parents[1] / "docs/dahlia.jpg"
TOY = """
from webargs import fields

def get_metadata():
    return {"name": "toy"}

def get_predict_args():
    return {"data": fields.Field(required=True, metadata={"type": "file", "location": "form"})}

def predict(data):
    import os
    with open(data.filename, "rb") as file:
        size = len(file.read())
    os.remove(data.filename)
    return {"size": size}
"""
BARE = """
import sys
sys.modules["openvino_telemetry"] = None
import numpy, openvino
core = openvino.Core()
model = core.read_model(sys.argv[1])
model.reshape([1, *(int(sys.argv[2]),) * 2, 3])
core.compile_model(model, "CPU")(numpy.zeros(model.input().shape, "f4"))
"""


def against_tensorflow(folder: Path, architecture: str, bound: dict[str, str]) -> list[Figure]:
    """TensorFlow's predict_on_batch over the engine, one photo at 224 pixels."""
    import keras

    from plant_classification.networks import find_architecture
    from plant_classification.networks.export import convert
    from plant_classification.openvino import save_network

    keras.utils.set_random_seed(1)
    found = find_architecture(architecture)
    rule = dataclasses.replace(found.preprocessing, size=224)
    model = found.builder(size=224, labels=1000)
    network = folder / f"{architecture}.xml"
    save_network(convert(model), network, half=True)
    pixels = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), np.uint8)
    image = rule.normalize(pixels)
    figures = []
    for precision, limit in bound.items():
        engine = Engine(network, rule, precision)
        theirs, ours = in_turn(30, partial(model.predict_on_batch, image), partial(engine, pixels))
        figures.append(
            Figure(
                f"TensorFlow / engine, {architecture}, {precision}",
                theirs / ours,
                limit,
                f"{theirs * 1e3:.1f} ms / {ours * 1e3:.1f} ms",
            )
        )
    return figures


def whole_identify(folder: Path) -> Figure:
    """``identify`` of a 500x600 JPEG over the bare engine call, Xception at 224 pixels."""
    rule = Preprocessing(224)
    model = folder / "models" / "xception"
    write_model_folder(
        model,
        architecture="xception",
        preprocessing=rule,
        labels=[label_of(f"Genus{chr(97 + i % 26)} species{'x' * (i // 26)}") for i in range(1000)],
        training={},
        metrics={},
        files={NETWORK: folder / "xception.xml", NETWORK_WEIGHTS: folder / "xception.bin"},
    )
    photo = io.BytesIO()
    with Image.open(PHOTO) as image:
        image.resize((500, 600)).save(photo, "JPEG", quality=90)
    content = photo.getvalue()
    classifier = Classifier.load(model)
    engine = Engine(model / NETWORK, rule)
    pixels = np.zeros((1, 224, 224, 3), np.uint8)
    whole, bare = in_turn(60, lambda: classifier.identify(content), lambda: engine(pixels))
    remark = f"{whole * 1e3:.1f} ms / {bare * 1e3:.1f} ms, {classifier.precision}"
    return Figure("identify of a 500x600 JPEG / engine, Xception", whole / bare, "<= 1.3", remark)


def through_deepaas(folder: Path, model: Path) -> Figure:
    """A request through deepaas-run over in-process identify plus a toy module's request."""
    toy = folder / "toy"
    distribution = toy / "toy-1.0.dist-info"
    distribution.mkdir(parents=True, exist_ok=True)
    (toy / "toy.py").write_text(TOY)
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text("[deepaas.v2.model]\ntoy = toy\n")
    content = PHOTO.read_bytes()
    classifier = Classifier.load(model)
    session = requests.Session()

    def post(address: str) -> None:
        reply = session.post(address, files={"data": ("photo.jpg", content, "image/jpeg")})
        reply.raise_for_status()

    models = model.parent
    with (
        deepaas("plant_classification", folder, models=models) as ours,
        deepaas("toy", folder, path=toy) as theirs,
    ):
        request, identify = in_turn(60, lambda: post(ours), lambda: classifier.identify(content))
        _, toy_request = in_turn(60, lambda: post(ours), lambda: post(theirs))
    remark = f"{request * 1e3:.1f} ms / ({identify * 1e3:.1f} + {toy_request * 1e3:.1f}) ms"
    ratio = request / (identify + toy_request)
    name = f"request through deepaas-run / identify + toy's, {model.name}"
    return Figure(name, ratio, "<= 1.25", remark)


@contextlib.contextmanager
def deepaas(
    module: str, folder: Path, *, path: Path | None = None, models: Path | None = None
) -> Iterator[str]:
    """A running deepaas-run; gives the address of the module's predict."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "DEEPAAS_V2_MODEL": module,
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(path or ""), os.environ.get("PYTHONPATH")])
        ),
        "PLANT_CLASSIFICATION_MODELS_DIR": str(models or folder / "none"),
    }
    command = [str(Path(sys.executable).with_name("deepaas-run")), "--listen-port", str(port)]
    with (folder / f"{module}.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(requests.ConnectionError):
                    requests.get(f"http://127.0.0.1:{port}/v2/models/", timeout=5)
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v2/models/{module}/predict/"
        finally:
            server.terminate()
            server.wait()


def command_line() -> list[Figure]:
    """The whole command over a bare script that runs the same network once: time and memory."""
    size = Classifier.load().folder.preprocessing.size
    command = [str(Path(sys.executable).with_name("plant-classification")), "identify", str(PHOTO)]
    bare = [sys.executable, "-c", BARE, str(STARTER_FOLDER / NETWORK), str(size)]
    (ours, our_memory), (theirs, their_memory) = processes_in_turn(command, bare, 11)
    return [
        Figure(
            "plant-classification identify / bare script, time",
            ours / theirs,
            "<= 1.6",
            f"{ours:.2f} s / {theirs:.2f} s",
        ),
        Figure(
            "plant-classification identify / bare script, peak memory",
            our_memory / their_memory,
            "<= 1.3",
            f"{our_memory / 2**20:.0f} MiB / {their_memory / 2**20:.0f} MiB",
        ),
    ]


def importing() -> Figure:
    """``import plant_classification`` over the bare interpreter's start."""
    ours = [sys.executable, "-c", "import plant_classification"]
    (with_us, _), (bare, _) = processes_in_turn(ours, [sys.executable, "-c", "pass"], 41)
    remark = f"{with_us * 1e3:.0f} ms / {bare * 1e3:.0f} ms"
    return Figure("import plant_classification / interpreter", with_us / bare, "<= 1.5", remark)


def processes_in_turn(
    first: list[str], second: list[str], rounds: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median wall seconds and peak memory in bytes of two commands, run in turn."""
    runs: tuple[list[tuple[float, int]], ...] = ([], [])
    for round_ in range(rounds + 1):
        for command, results in zip((first, second), runs, strict=True):
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                raise SystemExit(f"{command[0]} ended with status {status}.")
            if round_:
                results.append((time.perf_counter() - start, usage.ru_maxrss * 1024))
    medians = [
        (statistics.median(run[0] for run in results), statistics.median(run[1] for run in results))
        for results in runs
    ]
    return medians[0], medians[1]


def main() -> None:
    """Measure and print."""
    starter = Classifier.load().folder.architecture
    precision = Classifier.load().precision
    xception = {"bf16": ">= 2.5", "f32": ">= 1.4"} if precision == "bf16" else {"f32": ">= 1.4"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = [importing(), *command_line(), through_deepaas(folder, STARTER_FOLDER)]
        figures += against_tensorflow(folder, "xception", xception)
        figures += against_tensorflow(folder, starter, {precision: ">= 4"})
        figures.append(whole_identify(folder))
        figures.append(through_deepaas(folder, folder / "models" / "xception"))
    show(figures)


if __name__ == "__main__":
    main()
