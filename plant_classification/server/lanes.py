"""Two lanes for what DEEPaaS is asked: photos, and trainings, which take a processor for hours."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from deepaas.model.v2.wrapper import ModelWrapper

from plant_classification import api, schemas
from plant_classification.api.copies import forget
from plant_classification.api.requests import RequestError
from plant_classification.errors import PlantClassificationError, TooManyTrainingsError
from plant_classification.inference import Supervisor
from plant_classification.photos import Url
from plant_classification.server.addresses import Addresses
from plant_classification.server.predictors import Predictors
from plant_classification.server.training_lane import TrainingLane


class Lanes:
    """What DEEPaaS hands its work to: predictions go to the processes that the page uses too."""

    def __init__(self, predictors: Predictors, addresses: Addresses) -> None:
        self._predictors = predictors
        self._addresses = addresses
        self._trainings = TrainingLane()

    def apply(self, work: partial[Any]) -> Coroutine[Any, Any, dict[str, Any]]:
        """Do what DEEPaaS asks, and give it in the form of its own pool.

        Raises:
            RequestError: Too many trainings wait.
        """
        if work.func is ModelWrapper.predict_wrap:
            # Begun here: a request that is given up may never await what it gets.
            predicted = asyncio.ensure_future(self._predicted(work))
            predicted.add_done_callback(_seen)
            return _formed(predicted)
        try:
            return _formed(self._trainings.begin(work))
        except TooManyTrainingsError as error:
            raise RequestError(error.status, error.message, {}, error.retry_after) from None

    async def _predicted(self, work: partial[Any]) -> Any:
        begun = False

        def predict(supervisor: Supervisor) -> Any:
            nonlocal begun
            begun = True
            with api.using(supervisor):
                return work()

        try:
            async with self._addresses.fetched(_addresses(work.keywords)) as photos:
                if photos:
                    work.keywords["urls"] = photos
                return await self._predictors.run(predict)
        except PlantClassificationError as error:
            raise api.as_http(error, work.keywords) from None
        finally:
            if not begun:  # else they are deleted there
                forget(work.keywords)

    def shutdown(self) -> None:
        """Nothing: trainings end when the loop cancels those who wait for them."""


def _addresses(arguments: Mapping[str, Any]) -> list[Url]:
    """Those to fetch; none where files came too, which is refused."""
    if any(arguments[name] for name in schemas.PHOTO_FIELDS):
        return []
    return [Url(address) for address in arguments["urls"] or () if address]


async def _formed(work: asyncio.Future[Any]) -> dict[str, Any]:
    return {"output": await work, "finish_date": str(dt.datetime.now())}  # noqa: DTZ005


def _seen(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()  # else asyncio would report it where the client has left
