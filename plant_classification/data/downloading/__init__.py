"""The photos of a data set from their addresses: politely, and going on where it broke off."""

from plant_classification.data.downloading.photos import DownloadState, download_photos

__all__ = ["DownloadState", "download_photos"]
