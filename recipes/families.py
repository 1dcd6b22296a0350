"""Make the package's table of families: ``python -m recipes.families``.

It is compiled from families.json of Heredia (2017), doi:10.1145/3075564.3075590, Apache-2.0, in the
folder that PLANT_SHARED names. family_corrections.csv then puts 36 genera where APG IV (2016,
doi:10.1111/boj.12385) and PPG I (2016, doi:10.1111/jse.12229) have them: some were misplaced
(Carica in Caprifoliaceae), most are in families that have been divided or merged since.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from plant_classification.taxonomy import parse_name
from plant_classification.taxonomy.families import COLUMNS, FAMILIES
from recipes.shared_data import shared

CORRECTIONS = Path(__file__).with_name("family_corrections.csv")


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=FAMILIES,
    help="The table to write; the package's own by default.",
)
def main(output: Path) -> None:
    """Compile the families of the published names into a table of genera."""
    table = compile_table(read_published(), read_corrections())
    output.write_bytes(table.encode())
    click.echo(f"{output}: {table.count(chr(10)) - 1} genera")


def read_published() -> dict[str, list[str]]:
    """The published names, with authors, of each family."""
    path = shared("heredia2017/families.json")
    published: dict[str, list[str]] = json.loads(path.read_text("utf-8"))
    return published


def read_corrections() -> dict[str, tuple[str, str]]:
    """For each genus that is corrected: the family as published, and the right one."""
    rows = csv.DictReader(CORRECTIONS.read_text("utf-8").splitlines())
    return {row["genus"]: (row["published"], row["family"]) for row in rows}


def compile_table(
    published: Mapping[str, Sequence[str]], corrections: Mapping[str, tuple[str, str]]
) -> str:
    """The content of families.csv: each genus once, in alphabetical order, with its family.

    Args:
        published: Names of each family, with or without author.
        corrections: For some genera the family as published, and the right one.

    Raises:
        click.ClickException: A genus has two families, a name cannot be read, or a genus that is
            corrected was not published in that family.
    """
    families: dict[str, str] = {}
    for family, names in published.items():
        for name in names:
            try:
                genus = parse_name(name).genus
            except ValueError as error:
                raise click.ClickException(f"{family}: {error}") from None
            if families.setdefault(genus, family) != family:
                raise click.ClickException(
                    f"{genus} has two families: {families[genus]} and {family}."
                )
    for genus, (family, right) in corrections.items():
        if families.get(genus) != family:
            raise click.ClickException(f"{genus} is corrected, but was not published in {family}.")
        families[genus] = right
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerows([COLUMNS, *sorted(families.items())])
    return out.getvalue()


if __name__ == "__main__":
    main()
