"""What the routes of the server share, kept in the application."""

from __future__ import annotations

from aiohttp import web

from plant_classification.server.addresses import Addresses
from plant_classification.server.predictors import Predictors
from plant_classification.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
ADDRESSES = web.AppKey("addresses", Addresses)
PREDICTORS = web.AppKey("predictors", Predictors)
