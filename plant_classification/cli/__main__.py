"""``python -m plant_classification.cli``: the command where no console script is installed."""

from plant_classification.cli import main

main()
