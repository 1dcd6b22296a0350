"""The classifier: photos of one plant in, an answer out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos as photo_files
from plant_classification.errors import (
    ArgumentError,
    ModelFolderError,
    PlantClassificationError,
)
from plant_classification.inference.answer import Answer, Evidence, SeenPhoto, answer_of
from plant_classification.inference.engine import engine_of
from plant_classification.inference.expectation import Expectation
from plant_classification.inference.explanation import Explanation
from plant_classification.inference.head import Head, read_head
from plant_classification.models import (
    STARTER,
    ModelFolder,
    model_at,
    ready,
)
from plant_classification.models.folder import COPY_AGAIN, NETWORK, TRUST
from plant_classification.question import Question, check_organs, check_photos
from plant_classification.settings import Settings, load_settings
from plant_classification.similarity import FOLDER as SIMILAR_FOLDER
from plant_classification.similarity import PhotoIndex, SimilarPhoto
from plant_classification.taxonomy import ranks_of
from plant_classification.trust import expected, largest_logit, of_photos, of_views
from plant_classification.trust.rejection import REJECTED, likeness
from plant_classification.trust.saliency import activation_map

SIMILAR = 5
"""Photos that an answer names, where the model has an index."""

DOUBTFUL_LIST = 0.1
"""Probability of a species list, by the photos alone, below which nothing is safe."""


@dataclasses.dataclass(frozen=True)
class _Look:
    """What is kept of a photo.

    ``shares`` are its probabilities, ``largest`` is its largest calibrated logit; ``view`` and
    ``features`` are the pixels and the mean feature map of its first view, whose ``feature_map`` is
    kept where the answer is explained; ``plant_share`` is the share of plants that look as little
    like one, or None.
    """

    seen: SeenPhoto
    shares: NDArray[np.float64]
    largest: float
    view: NDArray[np.uint8]
    features: NDArray[np.float32]
    plant_share: float | None
    feature_map: NDArray[np.float32] | None


class Classifier:
    """A model in memory. :meth:`load` makes one; :meth:`identify` is what most people need.

    Several threads may use it at once.

    Attributes:
        folder: The model folder.
        labels: Its labels, in the order of the network's outputs.
        precision: ``"bf16"`` or ``"f32"``, what the engine computes in.
    """

    def __init__(
        self,
        folder: ModelFolder,
        settings: Settings,
        precision: str = "auto",
        *,
        for_many: bool = False,
        with_similar: bool = True,
    ) -> None:
        self.folder = folder
        self.labels = folder.labels()
        self._settings = settings
        self._ranks = ranks_of(self.labels)
        self._expectation = Expectation(self.labels, settings.models_dir)
        self._engine = engine_of(folder, precision, settings.threads, for_many=for_many)
        self.precision = self._engine.precision
        self._directions = self._read_directions()
        self._index = self._read_index() if with_similar else None

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path = STARTER,
        precision: str | None = None,
        settings: Settings | None = None,
        checkpoint: str | None = None,
        *,
        for_many: bool = False,
    ) -> Classifier:
        """Load a model.

        Args:
            name_or_folder: A name in the models folder of the settings, ``"starter"``, or the path
                of a model folder.
            precision: ``"auto"`` (bf16 where the processor has it, else f32; f32 for a model of
                the old service), ``"f32"`` or ``"bf16"``; by default what the settings say.
            settings: By default those of the machine (:func:`load_settings`).
            checkpoint: Of a model of the old service: a name in its folder ``ckpts``; by default
                its final one. Such a model is converted when it is loaded for the first time.
            for_many: Whether several threads will ask at once: more photos a second, but each takes
                longer.

        Raises:
            UnknownModelError: No model or checkpoint of that name.
            ModelFolderError: The folder is incomplete or damaged, or cannot be converted.
        """
        settings = settings or load_settings()
        model = model_at(name_or_folder, settings.models_dir, checkpoint)
        return cls(
            ready(model, settings),
            settings,
            precision or settings.precision,
            for_many=for_many,
        )

    def identify(
        self,
        photos: photo_files.Source | Sequence[photo_files.Source],
        organs: Sequence[str] | None = None,
        **asked: Any,
    ) -> Answer:
        """Name the plant in the photos of one observation.

        Photos of one plant, and crops of one photo, are put together by the mean of the logarithms
        of their probabilities (``trust.combination``).

        Args:
            photos: One to five: paths, bytes, addresses (``https:`` or ``data:``) or arrays
                ``uint8 (H, W, 3)`` RGB; one alone may stand without a list.
            organs: For each photo one of ``ORGANS``; they count where the model has learned how
                much photos of an organ say.
            asked: What is asked of them: the fields of :class:`Question`, such as ``top_k=10`` or
                ``species_list=Path("garden.txt")``.

        Raises:
            ArgumentError: An argument that cannot be used, told before any photo is read.
            PhotoError, UrlError: A photo that cannot be read, named in the sentence.
        """
        return self.answer(photos, organs, Question(**asked))

    def answer(
        self,
        photos: photo_files.Source | Sequence[photo_files.Source],
        organs: Sequence[str] | None,
        question: Question,
    ) -> Answer:
        """The same as :meth:`identify`, for a question that is put together already."""
        return self._answer(photos, organs, question)[0]

    def explain(
        self,
        photos: photo_files.Source | Sequence[photo_files.Source],
        organs: Sequence[str] | None = None,
        taxon: str | None = None,
        **asked: Any,
    ) -> Explanation:
        """Name the plant, and show where in the photos that comes from (Grad-CAM).

        Args:
            photos: As in :meth:`identify`.
            organs: The same.
            taxon: A label, genus or family of the answer; by default the first label.
            asked: As in :meth:`identify`; of several crops the middle one is explained.

        Raises:
            ArgumentError: The answer does not hold that taxon, the network ends otherwise than in
                dense layers on the mean of its features, or as in :meth:`identify`.
            PhotoError, UrlError: A photo that cannot be read, named in the sentence.
            ModelFolderError: A file of the model is damaged.
        """
        return self.explanation(photos, organs, taxon, Question(**asked))

    def explanation(
        self,
        photos: photo_files.Source | Sequence[photo_files.Source],
        organs: Sequence[str] | None,
        taxon: str | None,
        question: Question,
    ) -> Explanation:
        """The same as :meth:`explain`, for a question that is put together already."""
        answer, looks = self._answer(photos, organs, question, explained=True)
        name = taxon or answer.candidates[0].label.name
        members = self._members(name, answer)
        try:
            layers = self._head
        except ValueError as error:
            raise ArgumentError(f"This model's answers cannot be explained: {error}") from None
        maps = tuple(
            activation_map(look.feature_map, layers, members)
            for look in looks
            if look.feature_map is not None
        )
        return Explanation(answer, name, members, tuple(look.view for look in looks), maps)

    def _answer(
        self,
        photos: photo_files.Source | Sequence[photo_files.Source],
        organs: Sequence[str] | None,
        question: Question,
        *,
        explained: bool = False,
    ) -> tuple[Answer, list[_Look]]:
        is_one = isinstance(photos, (str, bytes)) or not isinstance(photos, Sequence)
        photos = cast("Sequence[photo_files.Source]", [photos] if is_one else photos)
        check_photos(len(photos), self._settings.max_photos)
        check_organs(organs, len(photos))
        possible = self._expectation.possible(question)
        factors = self._expectation.factors(question)
        # One after another, so that only one photo's pixels are in memory.
        looks = [
            self._look(
                place,
                photo,
                organs[place] if organs else None,
                question.crops,
                explained=explained,
            )
            for place, photo in enumerate(photos)
        ]
        seen = [look.seen for look in looks]
        counted = _each_once(looks)
        once = list(counted.values())
        shares = of_photos(np.stack([look.shares for look in once]))
        share = 1.0 if possible is None else float(shares[possible].sum())
        warnings = [
            *_of_copies(looks, counted),
            *self._of_small_photos([look.seen for look in once]),
            *_of_stray_photos(counted),
        ]
        if share < DOUBTFUL_LIST:
            warnings.append(
                f"By the photos alone, the list has {share:.1%} of the probability: the plant may "
                "be none of its species, and nothing is safe."
            )
        answer = answer_of(
            expected(shares, possible, factors),
            self.labels,
            self._ranks,
            question,
            photos=seen,
            model=self.folder,
            evidence=Evidence(
                plant_share=_best_share(once),
                largest=max(look.largest for look in once),
                may_be_safe=share >= DOUBTFUL_LIST,
                is_promised=len(once) == 1 and possible is None and factors is None,
                organ=once[0].seen.organ if len(once) == 1 else None,
            ),
            warnings=warnings,
        )
        return dataclasses.replace(answer, similar=self._similar(once)), looks

    def _plant_share(self, features: NDArray[np.float32]) -> float | None:
        rule = self.folder.trust.rejection
        if rule is None or self._directions is None:
            return None
        return rule.share(float(likeness(features[np.newaxis], self._directions)[0]))

    def _similar(self, looks: Sequence[_Look]) -> tuple[SimilarPhoto, ...] | None:
        """Those to the mean of the photos, as directions."""
        if self._index is None:
            return None
        rows = [look.features / np.linalg.norm(look.features) for look in looks]
        return self._index.nearest(np.mean(rows, axis=0), SIMILAR)

    def _read_index(self) -> PhotoIndex | None:
        folder = self.folder.path / SIMILAR_FOLDER
        can_be_read = folder.is_dir() and find_spec("usearch") is not None
        return PhotoIndex.open(folder, self.folder) if can_be_read else None

    def _read_directions(self) -> NDArray[np.float32] | None:
        """The mean features of the labels; None where no photo is judged by them."""
        found = self.folder.directions() if self.folder.trust.rejection else None
        if found is not None and found.shape[1] != self._engine.feature_count:
            raise ModelFolderError(
                f"{self.folder.path / TRUST} is that of another network. {COPY_AGAIN}"
            )
        return found

    @functools.cached_property
    def _head(self) -> tuple[Head, ...]:
        return read_head(self.folder.path / NETWORK)

    def _members(self, name: str, answer: Answer) -> NDArray[np.bool_]:
        """Which labels belong to a taxon of the answer: ``bool (labels,)``."""
        listed = {candidate.label.name for candidate in answer.candidates}
        taxa = {taxon.name for taxon in (*answer.genera, *answer.families)}
        if name not in listed | taxa:
            raise ArgumentError(
                f"taxon must be one that the answer holds ({', '.join(sorted(listed | taxa))}), "
                f"not {name!r}.",
                field="taxon",
            )
        taxa_of_labels = ((label.name, label.genus, label.family) for label in self.labels)
        return np.array([name in taxa for taxa in taxa_of_labels])

    def logits(self, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw outputs of the network, before temperature.

        Args:
            photos: ``uint8 (N, H, W, 3)`` RGB, of any size: they are cropped and resized by the
                model folder's rule.

        Returns:
            ``float32 (N, labels)``.
        """
        return self._run(photos)[0]

    def embed(self, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network sees: its last feature map, averaged over the picture.

        Args:
            photos: ``uint8 (N, H, W, 3)`` RGB, of any size.

        Returns:
            ``float32 (N, D)``.
        """
        return np.asarray(self._run(photos)[1].mean(axis=(1, 2)))

    def _look(
        self,
        place: int,
        source: photo_files.Source,
        organ: str | None,
        crops: int,
        *,
        explained: bool,
    ) -> _Look:
        preprocessing = self.folder.preprocessing
        try:
            photo = photo_files.read(
                source, self._settings, shorter_side=preprocessing.shorter_side(crops)
            )
        except PlantClassificationError as error:
            error.field = error.field or f"photos[{place}]"
            raise
        views = preprocessing.apply(photo.pixels, crops)
        if explained:
            logits, maps = self._engine(views)
            feature_map, features = maps[0], maps[0].mean(axis=(0, 1))
        else:  # a map is large, and copied for nothing
            seen = [self._engine.brief(view) for view in views]
            logits, features, feature_map = np.stack([row for row, _ in seen]), seen[0][1], None
        trust = self.folder.trust
        return _Look(
            SeenPhoto(photo.name, photo.width, photo.height, photo.format, photo.sha256, organ),
            of_views(logits, trust.temperature, trust.organ_weight(organ)),
            largest_logit(logits, trust.temperature, trust.organ_weight(organ)),
            views[0],
            features,
            self._plant_share(features),
            feature_map,
        )

    def _of_small_photos(self, seen: Sequence[SeenPhoto]) -> list[str]:
        return [
            f"{photo.name} is small ({photo.width} x {photo.height} pixels): "
            "a larger photo gets a better answer."
            for photo in seen
            if min(photo.width, photo.height) < self.folder.preprocessing.size // 2
        ]

    def _run(self, photos: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if photos.ndim != 4 or photos.shape[-1] != 3 or photos.dtype != np.uint8 or not len(photos):
            raise ArgumentError(
                "photos must be uint8 (N, H, W, 3) with N from 1 up, "
                f"not {photos.dtype} {photos.shape}.",
                field="photos",
            )
        apply = self.folder.preprocessing.apply
        return self._engine(np.concatenate([apply(photo) for photo in photos]))


def _each_once(looks: Sequence[_Look]) -> dict[int, _Look]:
    """The photos that count, by their number from 1 up: of one that comes again the first."""
    first: dict[object, int] = {}
    for number, look in enumerate(looks, 1):
        first.setdefault(look.seen.sha256 or number, number)
    return {number: looks[number - 1] for number in first.values()}


def _of_copies(looks: Sequence[_Look], counted: Mapping[int, _Look]) -> list[str]:
    """A warning for each photo that says nothing new."""
    return [
        f"Photo {number} ({look.seen.name}) is the same as an earlier one, and does not count."
        for number, look in enumerate(looks, 1)
        if number not in counted
    ]


def _of_stray_photos(counted: Mapping[int, _Look]) -> list[str]:
    """A warning for each of several photos that shows no plant."""
    return [
        f"Photo {number} ({look.seen.name}) does not look like a plant that the model knows."
        for number, look in counted.items()
        if len(counted) > 1 and look.plant_share is not None and look.plant_share < REJECTED
    ]


def _best_share(looks: Sequence[_Look]) -> float | None:
    """One photo that shows a plant is enough."""
    return max((look.plant_share for look in looks if look.plant_share is not None), default=None)
