"""A short fine-tuning loop: a linear probe, then all but the lowest stages.

The order is that of Kumar et al. 2022 (arXiv:2202.10054). Batch normalization keeps the parameters
of ImageNet, and the stem and the lowest stages stay as they are: that halves the time of a step.
Training sees smaller pictures than serving, which makes up for random crops that enlarge the plant
(Touvron et al. 2019, arXiv:1906.06423).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from plant_classification.networks.registry import find_architecture
from plant_classification.photos.preprocessing import Preprocessing

Pixels = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of the training, with its own schedule of the learning rate.

    Attributes:
        epochs: How often each photo is seen.
        learning_rate: Largest rate, after the warm-up.
        smallest_crop: Least area of a random crop, as a fraction of the photo's.
        is_strong: Whether photos are also turned, blurred, and of another hue or none.
        seed: Of the order and the crops.
    """

    epochs: int
    learning_rate: float
    smallest_crop: float
    is_strong: bool
    seed: int


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the starter model is trained."""

    phases: tuple[Phase, ...] = (
        Phase(8, 5e-4, 0.3, is_strong=False, seed=7),
        Phase(4, 4e-4, 0.25, is_strong=True, seed=11),
    )
    architecture: str = "efficientnet_lite0"
    training_size: int = 192
    batch: int = 32
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    frozen_stages: int = 2
    seed: int = 7


def augment(pixels: Pixels, size: int, phase: Phase, random: np.random.Generator) -> Pixels:
    """A random crop, mirrored half the time, of another brightness, contrast and saturation.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB.
        size: Side of the result.
        phase: How much.
        random: The source of chance.

    Returns:
        ``uint8 (size, size, 3)`` RGB.
    """
    height, width = pixels.shape[:2]
    area = random.uniform(phase.smallest_crop, 1.0) * height * width
    aspect = math.exp(random.uniform(-math.log(4 / 3), math.log(4 / 3)))
    crop_width = min(width, math.sqrt(area * aspect))
    crop_height = min(height, math.sqrt(area / aspect))
    left = random.uniform(0, width - crop_width)
    top = random.uniform(0, height - crop_height)
    box = (left, top, left + crop_width, top + crop_height)
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=box)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if phase.is_strong:
        image = _disguise(image, random)
    spread = 0.4 if phase.is_strong else 0.3
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(random.uniform(1 - spread, 1 + spread))
    if phase.is_strong and random.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 2)))
    return np.asarray(image)


def _disguise(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Each at times: upside down, turned by up to 45 degrees, of another hue, grey."""
    if random.random() < 0.2:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if random.random() < 0.5:
        image = image.rotate(random.uniform(-45, 45), Image.Resampling.BILINEAR)
    if random.random() < 0.5:
        hue, saturation, value = image.convert("HSV").split()
        shift = int(random.normal(0, 30))
        hue = hue.point([(level + shift) % 256 for level in range(256)])
        image = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    if random.random() < 0.15:
        image = ImageOps.grayscale(image).convert("RGB")
    return image


class AugmentedPhotos(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of augmented photos in a new random order each epoch, the same for the same seed."""

    def __init__(
        self,
        photos: Sequence[Pixels],
        labels: NDArray[np.int64],
        preprocessing: Preprocessing,
        settings: Settings,
        phase: Phase,
    ) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.photos, self.labels = photos, labels
        self.preprocessing, self.settings, self.phase = preprocessing, settings, phase
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.photos) // self.settings.batch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        settings, phase = self.settings, self.phase
        order = np.random.default_rng((phase.seed, self.epoch)).permutation(len(self.photos))
        chosen = order[index * settings.batch : (index + 1) * settings.batch]
        random = np.random.default_rng((phase.seed, self.epoch, index))
        size = settings.training_size
        crops = np.stack([augment(self.photos[i], size, phase, random) for i in chosen])
        targets = np.eye(self.labels.max() + 1, dtype=np.float32)[self.labels[chosen]]
        return self.preprocessing.normalize(crops), targets

    def on_epoch_end(self) -> None:
        """Take another order and other crops from now on."""
        self.epoch += 1


def fine_tune(
    photos: Sequence[Pixels], labels: NDArray[np.int64], label_count: int, settings: Settings
) -> keras.Model:
    """Fine-tune a network with ImageNet weights.

    Args:
        photos: Each ``uint8 (H, W, 3)`` RGB.
        labels: ``int64 (N,)``, each from 0 to ``label_count - 1`` at least once.
        label_count: Number of labels.
        settings: How.

    Returns:
        The network at its serving size, with the outputs ``[logits, features]``.
    """
    keras.utils.set_random_seed(settings.seed)
    architecture = find_architecture(settings.architecture)
    serving_size = architecture.preprocessing.size
    small = architecture.builder(size=settings.training_size, labels=label_count)
    architecture.imagenet(small)
    _fit_head(small, photos, labels, architecture.preprocessing, settings)
    freeze(small, settings.frozen_stages)
    for phase in settings.phases:
        train_phase(small, photos, labels, settings, phase)
    full = architecture.builder(size=serving_size, labels=label_count)
    full.set_weights(small.get_weights())
    return full


def train_phase(
    model: keras.Model,
    photos: Sequence[Pixels],
    labels: NDArray[np.int64],
    settings: Settings,
    phase: Phase,
) -> None:
    """Train a network of the training size, in place, for one phase."""
    preprocessing = find_architecture(settings.architecture).preprocessing
    data = AugmentedPhotos(photos, labels, preprocessing, settings, phase)
    trained = keras.Model(model.input, model.outputs[0])
    optimizer = _optimizer(settings, phase.learning_rate, len(data) * phase.epochs)
    trained.compile(optimizer, _loss(settings), metrics=["accuracy"])
    trained.fit(data, epochs=phase.epochs, verbose=2, shuffle=False)


def predict(
    model: keras.Model, photos: Sequence[Pixels], preprocessing: Preprocessing, batch: int = 64
) -> NDArray[np.float32]:
    """The one output of a network for whole photos, by the preprocessing of serving.

    Returns:
        ``float32``, photos first.
    """
    outputs = []
    for start in range(0, len(photos), batch):
        crops = np.concatenate([preprocessing.apply(p) for p in photos[start : start + batch]])
        outputs.append(model.predict_on_batch(preprocessing.normalize(crops)))
    return np.concatenate(outputs)


def _fit_head(
    model: keras.Model,
    photos: Sequence[Pixels],
    labels: NDArray[np.int64],
    preprocessing: Preprocessing,
    settings: Settings,
) -> None:
    """Fit the classifier on the features of the photos as they are, all else fixed."""
    small = dataclasses.replace(preprocessing, size=settings.training_size)
    pooled = keras.Model(model.input, model.get_layer("pooling").output)
    features = predict(pooled, photos, small)
    head = keras.Sequential(
        [keras.Input((features.shape[1],)), keras.layers.Dense(model.outputs[0].shape[1])]
    )
    epochs = 30
    steps = epochs * math.ceil(len(photos) / settings.batch)
    head.compile(_optimizer(settings, 2e-3, steps), _loss(settings), metrics=["accuracy"])
    targets = np.eye(model.outputs[0].shape[1], dtype=np.float32)[labels]
    history = head.fit(features, targets, epochs=epochs, batch_size=settings.batch, verbose=0)
    print("linear probe, accuracy on its own photos:", history.history["accuracy"][-1], flush=True)
    model.get_layer("logits").set_weights(head.get_weights())


def freeze(model: keras.Model, stages: int) -> None:
    """Keep the stem, the lowest stages, and batch normalization as they are."""
    fixed = ("stem", *(f"block{number}" for number in range(1, stages + 1)))
    for layer in model.layers:
        if layer.name.startswith(fixed) or isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _optimizer(settings: Settings, rate: float, steps: int) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, steps - steps // 10, alpha=0.0, warmup_target=rate, warmup_steps=steps // 10
    )
    return keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, clipnorm=1.0)


def _loss(settings: Settings) -> keras.losses.Loss:
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=settings.label_smoothing
    )
