"""Which places of a photo speak for a taxon: the closed form, its picture, and by gradients."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from plant_classification import Classifier
from plant_classification.cli.saliency import GRAD_CAM
from plant_classification.cli.saliency import METHODS as OFFERED
from plant_classification.errors import ArgumentError
from plant_classification.trust.saliency import Dense, activation_map, channel_weights

LABELS, CHANNELS, HIDDEN = 5, 7, 6


@pytest.fixture(scope="module")
def starter() -> Classifier:
    return Classifier.load("starter", precision="f32")


def score(
    features: NDArray[np.floating],
    layers: Sequence[Dense],
    members: NDArray[np.bool_],
) -> float:
    """How much a taxon stands out, written down as its definition has it."""
    for place, (kernel, bias) in enumerate(layers):
        features = np.maximum(features, 0) if place else features
        features = features @ kernel + bias
    return float(np.log(np.exp(features[members]).sum()) - features.mean())


@pytest.mark.parametrize("widths", [(CHANNELS, LABELS), (CHANNELS, HIDDEN, LABELS)])
@pytest.mark.parametrize("taxon", [[2], [0, 3]])
def test_the_channels_weights_are_the_gradient_of_the_score(
    widths: tuple[int, ...], taxon: list[int]
) -> None:
    random = np.random.default_rng(4)
    shapes = itertools.pairwise(widths)
    layers = [(random.normal(size=shape), random.normal(size=shape[1])) for shape in shapes]
    features = random.normal(size=CHANNELS)
    members = np.isin(np.arange(LABELS), taxon)
    step = 1e-5
    sides = [
        [score(features + side * unit, layers, members) for unit in np.eye(CHANNELS)]
        for side in (-step, step)
    ]
    numeric = (np.array(sides[1]) - sides[0]) / (2 * step)
    np.testing.assert_allclose(channel_weights(features, layers, members), numeric, atol=1e-4)


def test_what_is_added_to_all_logits_changes_nothing() -> None:
    random = np.random.default_rng(5)
    kernel, bias = random.normal(size=(CHANNELS, LABELS)), random.normal(size=LABELS)
    feature_map = np.abs(random.normal(size=(3, 4, CHANNELS)))
    members = np.arange(LABELS) == 1
    shifted = [(kernel + random.normal(size=(CHANNELS, 1)), bias + 3)]
    found = activation_map(feature_map, [(kernel, bias)], members)
    np.testing.assert_allclose(activation_map(feature_map, shifted, members), found, atol=1e-5)
    assert found.shape == (3, 4)
    assert found.min() >= 0
    assert found.max() == 1


def test_where_nothing_speaks_for_a_taxon_the_map_is_dark() -> None:
    kernel = np.stack([-np.ones(LABELS), np.ones(LABELS)]).astype(np.float32)
    kernel[:, 0] *= -1  # the label is another than all others, and the map has its opposite
    feature_map = np.stack([np.zeros((2, 2)), np.ones((2, 2))], axis=-1)
    found = activation_map(feature_map, [(kernel, np.zeros(LABELS))], np.arange(LABELS) == 0)
    np.testing.assert_array_equal(found, np.zeros((2, 2)))


@pytest.fixture
def in_the_corner(flower: Path) -> NDArray[np.uint8]:
    """A flower in the lower left quarter of a grey picture."""
    ground = Image.new("RGB", (224, 224), (127, 127, 127))
    ground.paste(Image.open(flower).convert("RGB").resize((110, 73)), (2, 145))
    return np.asarray(ground)


def test_a_flower_on_a_grey_ground_is_what_speaks(
    starter: Classifier, in_the_corner: NDArray[np.uint8]
) -> None:
    explanation = starter.explain(in_the_corner)
    (heat,) = explanation.maps
    row, column = np.array(np.unravel_index(heat.argmax(), heat.shape)) * 224 / heat.shape[0]
    assert row >= 112
    assert column < 112
    assert explanation.answer == starter.identify(in_the_corner)


@pytest.mark.parametrize("taxon", [None, "Dahlia sp.", "Dahlia", "Asteraceae"])
def test_any_taxon_of_the_answer_can_be_explained(
    starter: Classifier, flower: Path, taxon: str | None
) -> None:
    explanation = starter.explain(flower, taxon=taxon)
    first = explanation.answer.candidates[0].label
    assert explanation.taxon == (taxon or first.name)
    taxon = taxon or first.name
    chosen = [starter.labels[place] for place in np.flatnonzero(explanation.members)]
    assert all(taxon in {label.name, label.genus, label.family} for label in chosen)
    assert len(chosen) == (
        1
        if taxon != "Asteraceae"
        else sum(label.family == "Asteraceae" for label in starter.labels)
    )


def test_a_taxon_that_the_answer_does_not_hold_is_refused(
    starter: Classifier, flower: Path
) -> None:
    with pytest.raises(ArgumentError, match=r"taxon must be .* Dahlia sp\..*, not 'Quercus'"):
        starter.explain(flower, taxon="Quercus")


def test_the_picture_shows_the_photos_beside_each_other(starter: Classifier, flower: Path) -> None:
    explanation = starter.explain([flower, flower], crops=5)
    picture = Image.open(io.BytesIO(explanation.picture()))
    side = starter.folder.preprocessing.size
    assert picture.format == "PNG"
    assert picture.size == (2 * side + 8, side)
    left = np.asarray(picture)[:, :side].astype(int)
    view = explanation.views[0].astype(int)
    assert (left.max(axis=-1) <= view.max(axis=-1) + 1).all()
    assert np.abs(left - view).min() == 0
    assert np.asarray(picture.crop((side, 0, side + 8, side))).min() == 255


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["xception", "mobilenet"])
def test_the_closed_form_is_the_gradient_that_tensorflow_finds(architecture: str) -> None:
    import keras
    import tensorflow as tf

    from plant_classification.inference.gradient_saliency import score as keras_score
    from plant_classification.networks import build

    keras.utils.set_random_seed(3)
    network = build(architecture, LABELS, 96)
    image = np.random.default_rng(6).normal(size=(1, 96, 96, 3)).astype(np.float32)
    members = np.isin(np.arange(LABELS), [1, 2])
    rest = keras.Model(network.outputs[1], network.outputs[0])
    feature_map = tf.constant(network(image, training=False)[1])
    with tf.GradientTape() as tape:
        tape.watch(feature_map)
        scores = keras_score(rest(feature_map, training=False), members)
    gradient = tape.gradient(scores, feature_map).numpy()[0]
    layers = [tuple(network.get_layer("logits").get_weights())]
    found = channel_weights(feature_map.numpy()[0].mean(axis=(0, 1)), layers, members)
    np.testing.assert_allclose(found, gradient.sum(axis=(0, 1)), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["xception", "mobilenet"])
def test_integrated_gradients_add_up_to_the_difference_of_the_scores(architecture: str) -> None:
    import keras

    from plant_classification.inference.gradient_saliency import integrated_gradients
    from plant_classification.inference.gradient_saliency import score as keras_score
    from plant_classification.networks import build

    keras.utils.set_random_seed(3)
    network = build(architecture, LABELS, 96)
    image = np.random.default_rng(7).uniform(-1, 1, (96, 96, 3)).astype(np.float32)
    members = np.arange(LABELS) == 2
    found = integrated_gradients(network, image, members, steps=64)
    pair = np.stack([image, np.zeros_like(image)])
    seen, grey = keras_score(network(pair, training=False)[0], members).numpy()
    assert found.shape == (96, 96)
    assert found.sum() == pytest.approx(seen - grey, rel=0.05)


@pytest.mark.slow
def test_both_kinds_of_gradients_explain_the_starter(
    starter: Classifier, in_the_corner: NDArray[np.uint8]
) -> None:
    from plant_classification.inference.gradient_saliency import METHODS, explain_by_gradients

    assert set(METHODS) == {*OFFERED} - {GRAD_CAM}
    explanation = starter.explain(in_the_corner)
    for method in METHODS:
        first, again = (explain_by_gradients(explanation, method).maps[0] for _ in range(2))
        np.testing.assert_allclose(first, again, atol=1e-5)
        assert first.shape == explanation.views[0].shape[:2]
        assert 0 <= first.min() < first.max() == 1
        assert first[145:218, 2:112].mean() > 2 * first[:112, 112:].mean()
