"""Pl@ntNet's routes of a real server, asked as clients of my-api.plantnet.org ask there."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import select
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import requests
from api.service import Service, serving_all, serving_unready
from api.web import Web
from click.testing import CliRunner
from drawn_photos import encode, ramp
from server.conftest import LISTED, SPECIES_LIST

from plant_classification import Answer
from plant_classification.cli import cli
from plant_classification.models import read_model
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.question import ORGANS
from plant_classification.server import plantnet
from plant_classification.server.plantnet_format import (
    common_names,
    languages_of,
    name_of,
    species_rows,
)
from plant_classification.server.uploads import MOST_PARTS
from plant_classification.taxonomy import Label

pytestmark = pytest.mark.xdist_group("plantnet")

ROOT = Path(__file__).parents[2]
DAHLIA = ROOT / "docs" / "dahlia.jpg"
RAMP = encode(ramp(), "JPEG")
NOISE = encode(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), "JPEG")
MAX_PHOTO_BYTES = 500_000
MAX_TOTAL_BYTES = 1_000_000
URL_SECONDS = 4

GOLDEN: dict[str, Any] = {
    "query": {
        "project": "all",
        "images": ["5896f0d20066ea484089d086cd8e5a8d"],
        "organs": ["flower"],
        "includeRelatedImages": False,
        "noReject": False,
        "type": "kt",
    },
    "predictedOrgans": [],
    "language": "en",
    "preferedReferential": "starter",
    "bestMatch": "Dahlia sp.",
    "results": [
        {
            "score": 0.15366,
            "species": {
                "scientificNameWithoutAuthor": "Dahlia sp.",
                "scientificNameAuthorship": "",
                "scientificName": "Dahlia sp.",
                "genus": {
                    "scientificNameWithoutAuthor": "Dahlia",
                    "scientificNameAuthorship": "",
                    "scientificName": "Dahlia",
                },
                "family": {
                    "scientificNameWithoutAuthor": "Asteraceae",
                    "scientificNameAuthorship": "",
                    "scientificName": "Asteraceae",
                },
                "commonNames": ["dahlia"],
            },
            "gbif": {"id": None},
            "powo": {"id": None},
        }
    ],
    "otherResults": {
        "genus": [
            {
                "score": 0.15366,
                "genus": {
                    "scientificNameWithoutAuthor": "Dahlia",
                    "scientificNameAuthorship": "",
                    "scientificName": "Dahlia",
                },
                "gbif": {"id": None},
            }
        ],
        "family": [
            {
                "score": 0.38776,
                "family": {
                    "scientificNameWithoutAuthor": "Asteraceae",
                    "scientificNameAuthorship": "",
                    "scientificName": "Asteraceae",
                },
                "gbif": {"id": None},
            }
        ],
    },
    "remainingIdentificationRequests": 1_000_000,
}


class Strict:
    """A server with keys, small limits, exact arithmetic, and no place to wait."""

    def __init__(self, service: Service, key: str) -> None:
        self.service = service
        self.key = key
        self.identify = f"{service.root}/v2/identify/all"

    def post(self, *photos: bytes, **query: Any) -> requests.Response:
        return post(self.identify, *photos, **{"api_key": self.key, **query})


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, site: Web) -> Iterator[Strict]:
    folder = tmp_path_factory.mktemp("strict")
    keys = folder / "keys"
    key = CliRunner().invoke(cli, ["keys", "add", "park", "--api-keys", str(keys)]).stdout.strip()
    options = ("--processes", "1", "--most-waiting", "0", "--api-keys", str(keys))
    (folder / "models").mkdir()
    (folder / "models" / "broken.txt").write_text("Nothing known\n", "utf-8")
    limits = {
        "max_photo_bytes": MAX_PHOTO_BYTES,
        "max_total_bytes": MAX_TOTAL_BYTES,
        "url_seconds": URL_SECONDS,
        "url_private_hosts": site.host,
        "precision": "f32",
    }
    with serving_all(folder, *options, **limits) as service:
        yield Strict(service, key)
        assert service.temporary_files() == []


def post(
    address: str, *photos: bytes, organs: list[str] | None = None, **query: Any
) -> requests.Response:
    """A form with photos and organs; in the names of the query ``_`` stands for ``-``."""
    query = {name.replace("_", "-"): value for name, value in query.items()}
    files = [("images", (f"photo{place}.jpg", photo)) for place, photo in enumerate(photos)]
    return requests.post(
        address, params=query, files=files, data={"organs": organs or []}, timeout=60
    )


def told(response: requests.Response, status: int) -> str:
    """The message of a refusal, whose status and form are checked."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"statusCode", "error", "message"}
    assert body["statusCode"] == status
    phrases = {HTTPStatus(status).phrase, "Request Entity Too Large"}
    assert body["error"] in phrases
    return str(body["message"])


# Clients of the service


def test_requests(server: str, flower: Path) -> None:
    files = [
        ("images", (str(flower), flower.read_bytes())),
        ("images", (str(DAHLIA), DAHLIA.read_bytes())),
    ]
    prepared = requests.Request(
        "POST",
        url=f"{server}/v2/identify/all?api-key=any",
        files=files,
        data={"organs": ["flower", "leaf"]},
    ).prepare()
    with requests.Session() as session:
        response = session.send(prepared, timeout=60)
    assert response.status_code == 200
    answer = response.json()
    assert answer["query"]["organs"] == ["flower", "leaf"]
    digests = [hashlib.md5(path.read_bytes()).hexdigest() for path in (flower, DAHLIA)]  # noqa: S324
    assert answer["query"]["images"] == digests
    assert len(answer["results"]) == 10
    assert "Dahlia sp." in answer["bestMatch"]
    assert "otherResults" not in answer


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(server: str) -> None:
    address = f"{server}/v2/identify/best?include-related-images=true&no-reject=false&lang=fr"
    command = [*("curl", "-s", "-X", "POST", address), *("-H", "accept: application/json")]
    form = ["-F", f"images=@{DAHLIA};type=image/jpeg", "-F", "organs=auto"]
    answer = json.loads(subprocess.run([*command, *form], capture_output=True, check=True).stdout)
    assert answer["query"]["project"] == "best"
    assert answer["query"]["includeRelatedImages"] is True
    assert answer["language"] == "fr"
    assert answer["results"][0]["images"] == []
    assert answer["results"][0]["species"]["commonNames"] == ["dahlia"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_command_of_the_docs(server: str) -> None:
    page = (ROOT / "docs" / "plantnet.md").read_text("utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("curl ")]
    command = shlex.split(line.replace("http://127.0.0.1:5000", server))
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    assert len(json.loads(done.stdout)["results"]) == 3


NODE = """
const fs = require('fs');
const [address, ...photos] = process.argv.slice(1);
(async () => {
  const form = new FormData();
  for (const photo of photos) {
    form.append('organs', 'flower');
    form.append('images', new Blob([fs.readFileSync(photo)]), 'photo.jpg');
  }
  const url = new URL(address);
  url.searchParams.append('include-related-images', 'true');
  url.searchParams.append('api-key', 'any');
  const response = await fetch(url.toString(), {method: 'POST', body: form});
  console.log(JSON.stringify([response.status, await response.json()]));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node")
def test_node(server: str, flower: Path) -> None:
    command = ["node", "-e", NODE, f"{server}/v2/identify/all", str(flower), str(DAHLIA)]
    done = subprocess.run(command, capture_output=True, check=True)
    status, answer = json.loads(done.stdout)
    assert status == 200
    assert answer["query"]["organs"] == ["flower", "flower"]


def test_a_client_of_android_that_says_more_of_each_part(server: str) -> None:
    """OkHttp writes lengths and encodings, and its form has no end of known length."""
    body = b"".join(
        part(name, content, f"Content-Length: {len(content)}", "Content-Transfer-Encoding: binary")
        for name, content in (("organs", b"flower"), ("images", DAHLIA.read_bytes()))
    )
    response = send(f"{server}/v2/identify/all", iter([body, b"--x--\r\n"]))
    assert response.status_code == 200
    assert response.json()["query"]["organs"] == ["flower"]


def test_r_by_address(server: str, site: Web, named: Answer) -> None:
    address = f"{site.root}/photo"
    query = (
        f"images={quote(address, safe='')}&organs=flower&lang=fr"
        "&include-related-images=FALSE&api-key=any"
    )
    response = requests.get(f"{server}/v2/identify/all?{query}", timeout=60)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["query"]["images"] == [address]
    assert answer["results"][0]["score"] == pytest.approx(named.candidates[0].probability, abs=1e-4)


def test_two_addresses(server: str, site: Web) -> None:
    query = {"images": [f"{site.root}/photo"] * 2, "organs": ["flower", "habit"]}
    answer = requests.get(f"{server}/v2/identify/all", params=query, timeout=60).json()
    assert answer["query"]["organs"] == ["flower", "habit"]


# What is answered


def test_the_golden_answer(strict: Strict) -> None:
    response = strict.post(
        DAHLIA.read_bytes(), organs=["flower"], type="kt", detailed="true", nb_results=1
    )
    answer = response.json()
    starter = read_model(STARTER_FOLDER)
    assert answer.pop("version") == f"{starter.created:%Y-%m-%d} ({starter.version})"
    same(answer, GOLDEN)


def same(value: Any, golden: Any, place: str = "answer") -> None:
    """Field by field, in no order; numbers to 1e-4."""
    if isinstance(golden, dict):
        assert set(value) == set(golden), place
        for key, field in golden.items():
            same(value[key], field, f"{place}.{key}")
    elif isinstance(golden, list):
        assert len(value) == len(golden), place
        for number, pair in enumerate(zip(value, golden, strict=True)):
            same(*pair, f"{place}[{number}]")
    elif isinstance(golden, float):
        assert value == pytest.approx(golden, abs=1e-4), place
    else:
        assert type(value) is type(golden), place
        assert value == golden, place


def test_it_says_what_the_classifier_says(server: str, flower: Path, named: Answer) -> None:
    address = f"{server}/v2/identify/all"
    answer = post(address, flower.read_bytes(), detailed="true", nb_results=5).json()
    for result, candidate in zip(answer["results"], named.candidates, strict=True):
        assert result["species"]["scientificNameWithoutAuthor"] == candidate.label.name
        assert result["score"] == pytest.approx(candidate.probability, abs=1e-4)
    others = answer["otherResults"]
    for rank, taxa in (("genus", named.genera), ("family", named.families)):
        for result, taxon in zip(others[rank], taxa, strict=True):
            assert result[rank]["scientificName"] == taxon.name
            assert result["score"] == pytest.approx(taxon.probability, abs=1e-4)


def test_a_list_as_project(server: str) -> None:
    answer = post(f"{server}/v2/identify/{SPECIES_LIST}", DAHLIA.read_bytes()).json()
    names = {result["species"]["scientificName"] for result in answer["results"]}
    assert names == set(LISTED)
    assert sum(result["score"] for result in answer["results"]) == pytest.approx(1, abs=1e-4)
    assert answer["preferedReferential"] == answer["query"]["project"] == SPECIES_LIST


def test_what_is_no_plant_is_rejected_unless_asked_otherwise(server: str) -> None:
    address = f"{server}/v2/identify/all"
    response = post(address, NOISE)
    assert told(response, 404) == "Species not found"
    assert response.json()["error"] == "Not Found"
    answer = post(address, NOISE, no_reject="true")
    assert answer.status_code == 200
    assert answer.json()["query"]["noReject"] is True


def test_projects_and_species(server: str) -> None:
    counts = {
        project["id"]: project["speciesCount"]
        for project in requests.get(f"{server}/v2/projects", timeout=60).json()
    }
    everything = requests.get(f"{server}/v2/species/", timeout=60).json()
    assert counts == {"all": len(everything), SPECIES_LIST: len(LISTED)}
    listed = f"{server}/v2/projects/{SPECIES_LIST}/species"
    rows = requests.get(listed, timeout=60).json()
    assert [row["scientificNameWithoutAuthor"] for row in rows] == sorted(LISTED)
    begun = requests.get(listed, {"prefix": "DAH"}, timeout=60).json()
    assert [row["id"] for row in begun] == ["Dahlia sp."]
    pages: list[Any] = []
    for page in itertools.count(1):
        query = {"page": page, "pageSize": 50}
        found = requests.get(f"{server}/v2/species", query, timeout=60).json()
        if not found:
            break
        pages += found
    assert pages == everything


def test_a_list_that_the_model_cannot_use(strict: Strict) -> None:
    query = {"api-key": strict.key}
    root = f"{strict.service.root}/v2"
    projects = requests.get(f"{root}/projects", query, timeout=60).json()
    assert [project["id"] for project in projects] == ["all"]
    assert "line 1" in told(post(f"{root}/identify/broken", RAMP, api_key=strict.key), 400)
    told(requests.get(f"{root}/projects/broken/species", query, timeout=60), 400)


def test_status_and_languages(server: str) -> None:
    assert requests.get(f"{server}/v2/_status", timeout=60).json() == {"status": "ok"}
    languages = requests.get(f"{server}/v2/languages", timeout=60).json()
    assert {"en", "fr", "pt-br"} <= set(languages)


# What is refused


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"nb-results": "0"}, "nb-results"),
        ({"nb-results": "ten"}, "nb-results"),
        ({"no-reject": "perhaps"}, "no-reject"),
        ({"detailed": "2"}, "detailed"),
        ({"type": "other"}, "kt or legacy"),
        ({"lang": "klingon"}, "pt-br"),
        ({"organs": ["flower", "leaf"]}, "2 came for 1"),
        ({"organs": ["root"]}, "root"),
    ],
)
def test_a_wrong_argument(server: str, query: dict[str, Any], word: str) -> None:
    assert word in told(post(f"{server}/v2/identify/all", RAMP, **query), 400)


def test_none_or_too_many_photos(server: str) -> None:
    address = f"{server}/v2/identify/all"
    assert "0 came" in told(requests.get(address, timeout=60), 400)
    assert "0 came" in told(send(address, part("organs", b"leaf") + b"--x--\r\n"), 400)
    assert "more came" in told(post(address, *[RAMP] * 6), 400)
    urls = {"images": ["data:,"] * 6}
    assert "6 came" in told(requests.get(address, urls, timeout=60), 400)


def test_a_photo_that_cannot_be_read(server: str) -> None:
    address = f"{server}/v2/identify/all"
    assert "images[1]" in told(post(address, RAMP, RAMP[:800]), 400)
    assert "images[0]" in told(post(address, b"%PDF-1.7 no picture"), 415)
    assert "images[0]" in told(post(address, b""), 415)


def test_no_such_project(server: str) -> None:
    for project in ("nowhere", "..%2Fgarden", "garden.txt", "k-world-flora"):
        told(post(f"{server}/v2/identify/{project}", RAMP), 404)
    told(requests.get(f"{server}/v2/projects/nowhere/species", timeout=60), 404)
    told(requests.get(f"{server}/v2/identify", timeout=60), 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["identify/all", "projects", "_status"])
def test_a_wrong_method(server: str, method: str, path: str) -> None:
    response = requests.request(method, f"{server}/v2/{path}", timeout=60)
    assert method in told(response, 405)
    assert "GET" in response.headers["Allow"]


def test_a_head_is_not_answered_by_identifying(server: str) -> None:
    assert requests.head(f"{server}/v2/identify/all", timeout=60).status_code == 405


def part(name: str, content: bytes, *headers: str) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"; filename="a"', *headers]
    return b"--x\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def send(
    address: str, body: bytes | Iterator[bytes], kind: str = "multipart/form-data; boundary=x"
) -> requests.Response:
    return requests.post(address, data=body, headers={"Content-Type": kind}, timeout=60)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"images=1", "application/x-www-form-urlencoded"),
        (b"", ""),
        (part("images", RAMP), "multipart/form-data"),
        (part("images", RAMP), f"multipart/form-data; boundary={'x' * 100}"),
        (part("images", RAMP), "multipart/form-data; boundary=x"),
        (b"--x\r\nno header at all\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b"no boundary", "multipart/form-data; boundary=x"),
        (b"--x\r\n" + b"a" * 300_000, "multipart/form-data; boundary=x"),
        (part("organs", b"\xff") + b"--x--\r\n", "multipart/form-data; boundary=x"),
        (part("organs", b"a" * 2000) + b"--x--\r\n", "multipart/form-data; boundary=x"),
        (part("a", b"") * (MOST_PARTS + 1) + b"--x--\r\n", "multipart/form-data; boundary=x"),
        (
            part("images", b"", "Content-Type: multipart/mixed; boundary=y") + b"--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_a_body_that_is_no_form(server: str, body: bytes, kind: str) -> None:
    told(send(f"{server}/v2/identify/all", body, kind), 400)


def test_a_form_of_as_many_parts_as_there_may_be(server: str) -> None:
    body = part("a", b"") * (MOST_PARTS - 1) + part("images", RAMP) + b"--x--\r\n"
    assert send(f"{server}/v2/identify/all?no-reject=true", body).status_code == 200


def test_what_is_encoded(server: str) -> None:
    address = f"{server}/v2/identify/all"
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Encoding": "gzip"}
    packed = gzip.compress(part("images", RAMP) + b"--x--\r\n")
    told(requests.post(address, data=packed, headers=headers, timeout=60), 415)
    for header in ("Content-Encoding: gzip", "Content-Transfer-Encoding: base64"):
        told(send(address, part("images", RAMP, header) + b"--x--\r\n"), 415)


def test_nothing_of_an_upload_comes_back_as_html(server: str) -> None:
    name = "<script>alert(1)</script>"
    response = requests.post(
        f"{server}/v2/identify/{quote(name)}", files={"images": (name, b"no picture")}, timeout=60
    )
    assert "script" not in told(response, 404)
    response = requests.post(
        f"{server}/v2/identify/all",
        files={"images": (name, b"no picture")},
        data={"organs": name},
        timeout=60,
    )
    told(response, 400)
    assert response.headers["Content-Type"].startswith("application/json")


def test_addresses_that_fail(strict: Strict, site: Web) -> None:
    def ask(address: str) -> requests.Response:
        query = {"images": address, "api-key": strict.key}
        return requests.get(strict.identify, query, timeout=60)

    assert "images[0]" in told(ask("http://10.0.0.1/photo"), 400)
    told(ask("file:///etc/passwd"), 400)
    told(ask(f"{site.root}/missing"), 502)
    told(ask(f"{site.root}/page"), 415)
    told(ask(f"{site.root}/endless"), 504)


def test_who_has_no_key(strict: Strict) -> None:
    told(post(strict.identify, RAMP), 401)
    told(post(strict.identify, RAMP, api_key="wrong"), 401)
    bearer = {"Authorization": f"Bearer {strict.key}"}
    address = f"{strict.service.root}/v2/languages"
    assert requests.get(address, headers=bearer, timeout=60).ok


def test_busy_and_too_slow(strict: Strict, site: Web) -> None:
    with ThreadPoolExecutor(2) as pool:
        with strict.service.paused():
            pair = [pool.submit(strict.post, RAMP, no_reject="true") for _ in range(2)]
            (refused,), (pending,) = wait(pair, 60, return_when=FIRST_COMPLETED)
            told(refused.result(), 503)
            assert int(refused.result().headers["Retry-After"]) > 0
        assert pending.result(60).status_code == 200
    query = {"images": f"{site.root}/silent", "api-key": strict.key}
    slow = requests.get(strict.identify, query, timeout=60)
    told(slow, 504)
    assert int(slow.headers["Retry-After"]) > 0


def test_a_fault_of_the_server_tells_nothing_of_it(tmp_path: Path) -> None:
    damaged = tmp_path / "models" / "damaged"
    shutil.copytree(STARTER_FOLDER, damaged)
    network = damaged / "network.bin"
    network.write_bytes(network.read_bytes()[:-1] + b"x")
    with serving_unready(tmp_path, "--processes", "1") as service:
        address = f"{service.root}/v2/identify/all"
        response = requests.post(address, files={"images": DAHLIA.read_bytes()}, timeout=60)
        words = told(response, 500)
        assert service.get("/readyz").status_code == 503
        assert "log" in words
        assert str(tmp_path) not in response.text
        assert "network.bin" in service.log()


# Limits


def test_photos_over_the_limits(strict: Strict) -> None:
    photo = RAMP + bytes(MAX_PHOTO_BYTES)
    assert "images[1]" in told(strict.post(RAMP, photo), 413)
    photo = RAMP + bytes(MAX_PHOTO_BYTES - len(RAMP))
    assert "All photos" in told(strict.post(photo, photo, RAMP), 413)
    assert strict.post(photo, photo, no_reject="true").status_code == 200


HUGE = 200_000_000


@pytest.mark.parametrize("length", [f"Content-Length: {HUGE}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("start", "step"),
    [(part("images", b"")[:-2], bytes(100_000)), (b"", (b"0" * 998 + b"\r\n") * 100)],
    ids=["a photo", "what is no part"],
)
def test_a_huge_body_is_refused_before_it_is_sent(
    strict: Strict, length: str, start: bytes, step: bytes
) -> None:
    host, port = strict.service.root.removeprefix("http://").split(":")
    head = (
        f"POST /v2/identify/all?api-key={strict.key} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 60) as opened:
        opened.sendall(head.encode())
        sent = 0
        while sent < HUGE:
            piece = step if sent else start + step
            opened.sendall(piece if "Length" in length else b"%x\r\n%b\r\n" % (len(piece), piece))
            sent += len(piece)
            if select.select([opened], [], [], 0.02)[0]:
                break
        assert opened.recv(4000).startswith(b"HTTP/1.1 413 ")
    assert sent < 10 * MAX_TOTAL_BYTES


def test_who_leaves_while_sending_leaves_nothing(strict: Strict) -> None:
    host, port = strict.service.root.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as opened:
        opened.sendall(
            f"POST /v2/identify/all?api-key={strict.key} HTTP/1.1\r\nHost: {host}\r\n"
            "Content-Length: 400000\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="images"\r\n\r\n'.encode()
        )
        opened.sendall(bytes(200_000))
    assert strict.post(RAMP, no_reject="true").status_code == 200
    assert "Traceback" not in strict.service.log()


# The description


def document(server: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{server}/v2/plantnet/openapi.json", timeout=60).json()
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for field in value.values():
            yield from references(field)
    elif isinstance(value, list):
        for field in value:
            yield from references(field)


def resolved(description: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = description
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def fits(description: dict[str, Any], schema: dict[str, Any], value: Any, place: str) -> None:
    """The value has the fields that the schema names, and no others."""
    schema = resolved(description, schema)
    if value is None:
        assert schema.get("nullable"), place
        return
    assert isinstance(value, KINDS[schema["type"]]), place
    assert value in schema.get("enum", [value]), place
    if schema["type"] == "object" and "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), place
        for name, field in value.items():
            fits(description, schema["properties"][name], field, f"{place}.{name}")
    elif schema["type"] == "array":
        for field in value:
            fits(description, schema["items"], field, f"{place}[]")
    elif schema["type"] in ("integer", "number"):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), place


def answers_of(operation: dict[str, Any], status: int) -> dict[str, Any]:
    found: dict[str, Any] = operation["responses"][str(status)]
    return found


def test_every_reference_of_the_description_leads_somewhere(server: str) -> None:
    description = document(server)
    assert description["openapi"].startswith("3.0")
    assert set(references(description)) <= {
        f"#/components/{kind}/{name}"
        for kind, named in description["components"].items()
        for name in named
    }
    for path, operations in description["paths"].items():
        for operation in operations.values():
            places = [resolved(description, one) for one in operation["parameters"]]
            named = {one["name"] for one in places if one["in"] == "path"}
            assert named == ({"project"} if "{project}" in path else set())
            assert "200" in operation["responses"]


def test_answers_have_the_fields_that_are_described(server: str, site: Web) -> None:
    description = document(server)
    for path, operations in description["paths"].items():
        address = server + path.replace("{project}", SPECIES_LIST)
        for method, operation in operations.items():
            query = {"detailed": "true", "include-related-images": "true", "no-reject": "true"}
            if method == "post":
                response = post(address, RAMP, organs=["leaf"], **query)
            else:
                query = {**query, "images": f"{site.root}/photo"}
                response = requests.get(address, query, timeout=60)
            content = resolved(description, answers_of(operation, response.status_code))
            schema = content["content"]["application/json"]["schema"]
            assert response.status_code == 200, response.text
            fits(description, schema, response.json(), path)


def test_refusals_have_the_fields_that_are_described(server: str) -> None:
    description = document(server)
    operation = description["paths"]["/v2/identify/{project}"]["post"]
    for response in (
        post(f"{server}/v2/identify/all", b"no picture"),
        post(f"{server}/v2/identify/nowhere", RAMP),
        post(f"{server}/v2/identify/all"),
    ):
        content = resolved(description, answers_of(operation, response.status_code))
        fits(description, content["content"]["application/json"]["schema"], response.json(), "")


def test_the_organs_of_the_service_are_ours() -> None:
    assert {"leaf", "flower", "fruit", "bark", "habit", "other", "auto"} == set(ORGANS)


# Alone


@pytest.mark.parametrize(
    ("path", "mine"),
    [
        ("/v2/identify/all", True),
        ("/v2/identify", True),
        ("/v2/projects", True),
        ("/v2/projects/garden/species", True),
        ("/v2/species/", True),
        ("/v2/languages", True),
        ("/v2/_status", True),
        ("/v2/plantnet/openapi.json", True),
        ("/v2/", False),
        ("/v2", False),
        ("/", False),
        ("/v2/models/plant_classification/predict/", False),
        ("/v2/identifying", False),
        ("/v1/identify/all", False),
        ("/static/v2/identify", False),
    ],
)
def test_what_is_mine(path: str, mine: bool) -> None:
    assert plantnet.is_mine(path) is mine


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (Label("Rosa", None, "Rosa"), "Rosa sp."),
        (Label("Rosa sp.", None, "Rosa"), "Rosa sp."),
        (Label("Rosa canina", "Rosa canina", "Rosa"), "Rosa canina"),
        (Label("Rosa canina L.", "Rosa canina", "Rosa", author="L."), "Rosa canina"),
        (Label("Mentha x piperita", "Mentha × piperita", "Mentha"), "Mentha × piperita"),
        (
            Label("Beta vulgaris subsp. maritima", "Beta vulgaris", "Beta"),
            "Beta vulgaris subsp. maritima",
        ),
    ],
)
def test_names_are_put_honestly(label: Label, name: str) -> None:
    assert name_of(label) == name
    assert [row["scientificNameWithoutAuthor"] for row in species_rows([label], "en")] == [name]


def test_common_names_fall_back_to_english() -> None:
    label = Label("Rosa", None, "Rosa", common_names=(("en", ("rose",)), ("qu", ("rusa", "r"))))
    assert common_names(label, "qu") == ["rusa", "r"]
    assert common_names(label, "fr") == ["rose"]
    assert common_names(Label("Rosa", None, "Rosa"), "fr") == []
    assert "qu" in languages_of([label])
