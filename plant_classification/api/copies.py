"""The copies of uploads: files that DEEPaaS makes for ``predict``, and leaves.

Importing the module changes the part of DEEPaaS that makes them, in whichever server it is.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from deepaas.model.v2.wrapper import ModelWrapper, UploadedFile

from plant_classification.api.requests import not_stored

_predict = ModelWrapper.predict


def _predict_with_copies(wrapper: ModelWrapper, **arguments: Any) -> Any:
    """Copy the uploads before DEEPaaS would, which leaves its copies where one cannot be written.

    Raises:
        RequestError: One cannot be written; none is left.
    """
    copies: dict[str, UploadedFile] = {}
    try:
        for name, value in arguments.items():
            if isinstance(value, web.FileField):
                with tempfile.NamedTemporaryFile(delete=False) as file:
                    copies[name] = UploadedFile(
                        value.name, file.name, value.content_type, value.filename
                    )
                    shutil.copyfileobj(value.file, file)
    except OSError as error:
        forget(copies)
        raise not_stored(error) from None
    return _predict(wrapper, **{**arguments, **copies})


ModelWrapper.predict = _predict_with_copies


def forget(arguments: Mapping[str, Any]) -> None:
    """Delete the copies among the arguments of a prediction."""
    for value in arguments.values():
        if isinstance(value, UploadedFile):
            Path(value.filename).unlink(missing_ok=True)
