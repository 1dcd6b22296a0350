"""Tables with a photo in each row: which columns count, and what is wrong with a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from plant_classification.bulk.photo_tables import PhotoRow, photos_of_table
from plant_classification.errors import ArgumentError, DatasetError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def table(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def rows(file: Path, column: str | None = None, by: str | None = None) -> list[PhotoRow]:
    return list(photos_of_table(file, column, by))


@pytest.mark.parametrize(
    "content",
    ["url,plant\na b.jpg,1\n", "url\tplant\na b.jpg\t1\n", "\ufeffurl;plant\r\na b.jpg;1\r\n",
     'plant,url\n"1","a b.jpg"\n\n'],
)  # fmt: skip
def test_commas_tabs_and_semicolons_part_fields(tmp_path: Path, content: str) -> None:
    assert rows(table(tmp_path, content), by="plant") == [PhotoRow("a b.jpg", "1", "")]


def test_a_column_can_be_named(tmp_path: Path) -> None:
    file = table(tmp_path, "path,scan\na,b\n")
    assert rows(file)[0].photo == "a"
    assert rows(file, "scan")[0].photo == "b"


def test_parquet_is_read_as_text_is(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a", None, "b"], "plant": [1, 2, 3]}), tmp_path / "t.parquet")
    assert rows(tmp_path / "t.parquet", by="plant") == [
        PhotoRow("a", "1", ""), PhotoRow("b", "3", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "column", "by", "said"),
    [
        ("a,b\n1,2\n", None, None, "has none of the columns path, .* its own .*: a, b"),
        ("path\nx\n", "scan", None, "has no column 'scan'; it has: path"),
        ("path\nx\n", None, "plant", "has no column 'plant'"),
    ],
)
def test_a_column_that_is_not_there(
    tmp_path: Path, content: str, column: str | None, by: str | None, said: str
) -> None:
    with pytest.raises(ArgumentError, match=said):
        rows(table(tmp_path, content), column, by)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,p\nx,1\ny\n", "line 3: the line has not as many fields as the first line: 1, not 2"),
        ("path,p\nx,\n", "line 2: p is empty"),
        ("path,p,organ\nx,1,root\n", "line 2: organ must be among"),
        (b"path,p\nx,1\n\xff,1\n", "line 3: not UTF-8"),
        ('path,p\n"x,1\n', "line 2: unexpected end of data"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        rows(table(tmp_path, content), by="p")


def test_the_column_that_is_known_tells_what_parts_fields(tmp_path: Path) -> None:
    assert rows(table(tmp_path, 'path;"a, b, c"\nx y;1\n'))[0].photo == "x y"


@pytest.mark.parametrize(
    ("content", "said"), [("", "is empty"), ("path,path\na,b\n", "has two columns 'path'")]
)
def test_a_table_that_cannot_be_told(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        rows(table(tmp_path, content))


def test_a_photo_in_a_field_of_text(tmp_path: Path) -> None:
    address = "data:image/png;base64," + "A" * 200_000
    assert rows(table(tmp_path, f'url\n"{address}"\n'))[0].photo == address


def test_a_column_that_is_no_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [{"bytes": b"x"}]}), tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match="column 'image' must hold text; it holds struct"):
        rows(tmp_path / "t.parquet")


def test_a_damaged_parquet(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"path": [f"{place}.jpg" for place in range(1000)]}), file)
    content = bytearray(file.read_bytes())
    content[4:300] = bytes(296)
    file.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        rows(file)


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        rows(table(tmp_path, "path\n", "t.parquet"))
