"""The page, used in a browser as people do, and judged by axe-core."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from api.service import MODULE, Service, serving_all
from api.web import Web
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from click.testing import CliRunner
from playwright.sync_api import Browser, FilePayload, Page, Request, Route, expect, sync_playwright
from server.conftest import LISTED, SPECIES_LIST

from plant_classification import Answer
from plant_classification.cli import cli
from plant_classification.models import read_model
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.server.page import prefers_html, static_files

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS = 20
MOST_BYTES = 100_000
PREDICT = f"**/v2/models/{MODULE}/predict/"
MODELS = "**/page/models"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("page")]

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: str) -> Iterator[Open]:
    """Open the page in a window of its own; at the end it has had no error, and asked no other."""
    asked: list[str] = []
    errors: list[str] = []
    contexts = []

    def opened(address: str = server, **window: Any) -> Page:
        context = browser.new_context(**window)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: _keep_fault(said.text, errors))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
    assert [
        url for url in asked if not re.match(r"http://127\.0\.0\.1:\d+/|blob:|data:", url)
    ] == []


def _keep_fault(said: str, errors: list[str]) -> None:
    if "Content Security Policy" in said or "Error:" in said:
        errors.append(said)


@pytest.fixture
def page(open_page: Open) -> Page:
    page = open_page()
    expect(page.locator("#model option")).to_have_count(1)
    return page


def identify(page: Page, photo: Path | FilePayload | None = None) -> None:
    if photo:
        page.set_input_files("#files", photo)
    page.click("#submit")


def jpeg(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def answered(page: Page) -> str:
    """The sentence of the answer, which has the focus."""
    sentence = page.locator("#sentence")
    expect(sentence).to_be_focused(timeout=SECONDS * 1000)
    return sentence.inner_text()


def hold(page: Page, address: str = PREDICT) -> list[Route]:
    """Keep back what is asked from now on."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(address, keep)
    return held


def alerted(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("alert")).to_contain_text(words, timeout=SECONDS * 1000)


def faults(page: Page) -> str:
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""


# The routes


def test_people_get_the_page_and_programs_get_the_list_of_deepaas(server: str) -> None:
    browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for accept, kind in ((browsers, "text/html"), ("*/*", "application/json")):
        response = requests.get(server, headers={"Accept": accept}, timeout=60)
        assert response.headers["Content-Type"].startswith(kind)
        assert response.headers["Vary"] == "Accept"
    assert response.json()["versions"]


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html, application/json", True),
        ("application/json, text/html", False),
        ("application/json, text/html;q=0.5", False),
        ("application/json;q=0.5, Text/HTML", True),
        ("text/html;q=0", False),
        ("text/html;q=none", False),
    ],
)
def test_who_prefers_html(accept: str, *, is_html: bool) -> None:
    assert prefers_html(accept) is is_html


def test_the_files_are_small_and_asked_for_anew_only_when_they_change(server: str) -> None:
    assert sum(len(file.content) for file in static_files().values()) <= MOST_BYTES
    for name in static_files():
        response = requests.get(f"{server}/page/static/{name}", timeout=60)
        assert response.headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": response.headers["ETag"]}
        again = requests.get(f"{server}/page/static/{name}", headers=known, timeout=60)
        assert (again.status_code, again.content) == (304, b"")


def test_every_word_that_is_asked_for_is_in_the_one_file() -> None:
    files = {name: file.content.decode() for name, file in static_files().items()}
    code = "".join(text for name, text in files.items() if name.endswith((".js", ".html")))
    literal = r"""(?:\b(?:say|phrase)\(\s*|data-(?:word|label|placeholder)=)"([\w.]+)\""""
    asked = set(re.findall(literal, code))
    words = json.loads(files["words.json"])
    assert len(asked) > 50
    assert asked <= set(words)


@pytest.mark.parametrize("name", ["page.py", "..%2Fpage.py", "%2Fetc%2Fpasswd", "static", "x.js"])
def test_no_other_file_is_sent(server: str, name: str) -> None:
    response = requests.get(f"{server}/page/static/{name}", timeout=60)
    assert response.status_code == 404
    assert response.json()["status"] == "error"


def test_what_can_be_chosen(server: str) -> None:
    told = requests.get(f"{server}/page/models", timeout=60).json()
    starter = read_model(STARTER_FOLDER)
    assert [model["name"] for model in told["models"]] == ["starter"] == [told["default"]]
    assert told["models"][0]["labels"] == starter.label_count
    assert told["species_lists"] == [SPECIES_LIST]
    assert told["limits"]["photos"] == 5
    assert "JPEG" in told["formats"]


def test_species_are_told_by_family_and_genus(server: str) -> None:
    told = requests.get(f"{server}/page/species?model=starter", timeout=60).json()
    families = {family["name"]: family for family in told["families"]}
    assert list(families) == sorted(families)
    genera = {genus["name"]: genus["labels"] for genus in families["Asteraceae"]["genera"]}
    assert genera["Dahlia"] == [
        {"name": "Dahlia sp.", "species": None, "common_names": {"en": ["dahlia"]}}
    ]
    labels = [genus["labels"] for family in families.values() for genus in family["genera"]]
    assert sum(map(len, labels)) == told["labels"]


def test_species_of_an_unknown_model_are_a_422(server: str) -> None:
    response = requests.get(f"{server}/page/species?model=nobody", timeout=60)
    told = response.json()
    assert response.status_code == 422
    assert "nobody" in told["message"]
    assert told["errors"] == {"model": [told["message"]]}
    assert told["request_id"] == response.headers["X-Request-ID"]


# Asking


def test_a_photo_is_named_as_the_api_names_it(page: Page, flower: Path, named: Answer) -> None:
    identify(page, flower)
    assert (named.safe_answer.name or "No name is safe") in answered(page)
    first = page.locator(".results li").first
    best = named.candidates[0]
    expect(first).to_contain_text(best.label.name)
    expect(first).to_contain_text(re.compile(rf" {100 * best.probability:.0f}\s%"))
    expect(first.get_by_role("link")).to_have_count(4)
    assert first.get_by_role("link").first.get_attribute("rel") == "noopener noreferrer"
    expect(page.locator(".taxa").last).to_contain_text(named.families[0].name)


def test_a_photo_by_address(page: Page, site: Web, named: Answer) -> None:
    page.fill("#address", f"{site.root}/photo")
    page.keyboard.press("Enter")
    identify(page)
    answered(page)
    expect(page.locator(".results li").first).to_contain_text(named.candidates[0].label.name)
    expect(page.locator(".notes")).to_contain_text("640 × 427")


def test_an_address_that_was_typed_need_not_be_added_first(
    page: Page, site: Web, named: Answer
) -> None:
    page.fill("#address", f"{site.root}/photo")
    page.click("#submit")
    page.wait_for_selector("#answer h2")
    assert named.candidates[0].label.name in page.inner_text("#answer")


def test_an_address_that_is_none_and_one_beside_files(page: Page, flower: Path) -> None:
    for wrong in ("my photo", "https://example.org:99999/a.jpg", "https://[x"):
        page.fill("#address", wrong)
        page.click("#address-form button")
        alerted(page, "no address")
    page.set_input_files("#files", flower)
    page.fill("#address", "https://example.com/photo.jpg")
    page.click("#address-form button")
    alerted(page, "cannot be sent together")
    expect(page.locator("#thumbs li")).to_have_count(1)


PASTE = """([content, text]) => {
    const pasted = new DataTransfer();
    if (content) {
        const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
        pasted.items.add(new File([bytes], "image.png", { type: "image/png" }));
    } else pasted.setData("text/plain", text);
    document.body.dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true, cancelable: true }));
}"""


def test_a_pasted_photo_and_a_pasted_address(page: Page, flower: Path, site: Web) -> None:
    page.evaluate(PASTE, [base64.b64encode(flower.read_bytes()).decode(), ""])
    expect(page.locator("#thumbs li")).to_have_count(1)
    identify(page)
    answered(page)
    page.click("#thumbs .remove")
    page.evaluate(PASTE, ["", f"{site.root}/photo"])
    expect(page.locator("#thumbs li")).to_contain_text("photo")


def test_a_dropped_photo(page: Page, flower: Path) -> None:
    drop = PASTE.replace("paste", "drop").replace("ClipboardEvent", "DragEvent")
    drop = drop.replace("clipboardData", "dataTransfer")
    page.evaluate(drop, [base64.b64encode(flower.read_bytes()).decode(), ""])
    expect(page.locator("#thumbs img")).to_have_count(1)


def test_five_photos_with_organs_and_no_sixth(page: Page, flower: Path) -> None:
    content = flower.read_bytes()
    photos = [jpeg(f"p{place}.jpg", content) for place in range(6)]
    page.set_input_files("#files", photos)
    alerted(page, "at most 5")
    page.get_by_label("photo 1 shows: p0.jpg").select_option("flower")
    page.get_by_label("photo 4 shows: p3.jpg").select_option("leaf")
    with page.expect_response(PREDICT) as response:
        identify(page)
    answered(page)
    seen = response.value.json()["photos"]
    assert [photo["organ"] for photo in seen] == ["flower", "auto", "auto", "leaf", "auto"]
    page.click(".why button")
    expect(page.locator(".heat .lit")).to_have_count(5)
    places = page.locator(".heat .lit").evaluate_all(
        "all => all.map(one => one.style.objectPosition)"
    )
    assert [place.split()[0] for place in places] == ["0%", "25%", "50%", "75%", "100%"]


def test_the_settings_are_asked_with(page: Page, flower: Path) -> None:
    page.click("#settings summary")
    page.select_option("#list", SPECIES_LIST)
    page.select_option("#crops", "5")
    page.locator("#confidence").fill("0.8")
    expect(page.locator("#confidence-shown")).to_have_text("80\u00a0%")
    with page.expect_response(PREDICT) as response:
        identify(page, flower)
    answered(page)
    told = response.value.json()
    assert set(told["labels"]) <= set(LISTED)
    assert told["safe_answer"]["confidence"] == 0.8


# What is said


@pytest.fixture(scope="module")
def told(service: Service, flower: Path) -> dict[str, Any]:
    """The server's answer to the flower."""
    answer: dict[str, Any] = service.post(flower).json()
    return answer


def show(page: Page, flower: Path, answer: dict[str, Any]) -> None:
    """Let the page get this answer."""
    page.route(PREDICT, lambda route: route.fulfill(json=answer))
    identify(page, flower)
    answered(page)


@pytest.mark.parametrize(
    ("safe", "sentence", "reason"),
    [
        (
            ("Bellis perennis", "species", 0.97, 0.95, True),
            "This is very likely Bellis perennis.",
            "Of 100 such answers at least 95 are right.",
        ),
        (
            ("Dahlia", "genus", 0.97, 0.8, True),
            "This is likely of the genus Dahlia.",
            "Of 100 such answers at least 80 are right.",
        ),
        (
            ("Camellia", "genus", 0.7, 0.5, True),
            "This is perhaps of the genus Camellia.",
            "Of 100 such answers at least 50 are right.",
        ),
        (
            ("Leucanthemum vulgare", "species", 0.97, 0.95, True),
            "This is very likely Leucanthemum vulgare (oxeye daisy).",
            "Of 100 such answers at least 95 are right.",
        ),
        (
            ("Asteraceae", "family", 0.995, 0.999, False),
            "This is very likely of the family Asteraceae.",
            "The model gives it 99.5\u00a0%; for such a question it promises no share",
        ),
        (
            (None, None, None, 0.9, True),
            "No name is safe at 90\u00a0%.",
            "Nearest is the family Asteraceae",
        ),
    ],
)
def test_the_answer_is_a_sentence(
    page: Page,
    flower: Path,
    told: dict[str, Any],
    safe: tuple[Any, ...],
    sentence: str,
    reason: str,
) -> None:
    keys = ("name", "rank", "probability", "confidence", "promised")
    fields = dict(zip(keys, safe, strict=True))
    show(page, flower, told | {"safe_answer": fields})
    expect(page.locator("#sentence")).to_have_text(sentence)
    expect(page.locator(".reason").first).to_contain_text(reason)


def test_the_nearest_taxon_is_the_genus_where_its_family_is_unknown(
    page: Page, flower: Path, told: dict[str, Any]
) -> None:
    safe = told["safe_answer"] | dict.fromkeys(("name", "rank", "probability"))
    genus, families = told["genera"][0], [told["families"][0] | {"probability": 0.001}]
    show(page, flower, told | {"safe_answer": safe, "families": families})
    expect(page.locator(".reason").first).to_contain_text(f"Nearest is the genus {genus['name']}")


def test_what_is_no_plant_is_told_first(page: Page, flower: Path, told: dict[str, Any]) -> None:
    unlike = {"probability": 0.004, "threshold": 0.03, "binary": False}
    show(page, flower, told | {"rejected": True, "is_plant": unlike})
    expect(page.locator("#sentence")).to_contain_text("does not look like a plant")
    expect(page.locator(".reason")).to_contain_text("0.4\u00a0% look as little like one")


def test_plausible_names_similar_photos_and_warnings(
    page: Page, flower: Path, told: dict[str, Any]
) -> None:
    names = [f"Rosa number{place}" for place in range(12)]
    rose = {"photo": "roses/1.jpg", "label": "Rosa canina", "similarity": 0.87}
    rest = {
        "plausible": {"coverage": 0.95, "promised": True, "species": names},
        "similar": [rose],
        "warnings": ["It is <b>small</b>."],
    }
    show(page, flower, told | rest)
    answer = page.locator("#answer")
    expect(answer).to_contain_text("among these 12: Rosa number0, ")
    expect(answer).to_contain_text("Rosa number9 and 2 more")
    expect(answer).to_contain_text("Rosa canina, 87\u00a0% alike roses/1.jpg")
    expect(answer).to_contain_text("It is <b>small</b>.")
    rest["plausible"] = {"coverage": 0.95, "promised": False, "species": names}
    show(page, flower, told | rest)
    expect(answer).to_contain_text("For such a question it is not promised")


def test_what_speaks_for_a_taxon_is_shown(page: Page, flower: Path, named: Answer) -> None:
    identify(page, flower)
    answered(page)
    family = named.families[0].name
    page.select_option("#taxon", family)
    page.click(".why button")
    lit = page.get_by_alt_text(f"Photo 1, bright where it speaks for {family}")
    expect(lit).to_be_visible(timeout=SECONDS * 1000)
    assert lit.evaluate("async one => { await one.decode(); return one.naturalWidth }") >= 200
    expect(page.locator(".why")).to_contain_text(f"what speaks for {family}")


# What goes wrong


def test_no_photo_and_what_is_none(page: Page, flower: Path) -> None:
    page.click("#submit")
    alerted(page, "Add a photo first")
    page.set_input_files("#files", flower)
    identify(page, jpeg("notes.txt", b"no photo"))
    alerted(page, "notes.txt is not a picture that is read; send a JPEG")
    expect(page.locator("#thumbs li.faulty")).to_contain_text("notes.txt")
    page.get_by_label("Remove photo 2: notes.txt").click()
    expect(page.locator("#thumbs button")).to_be_focused()
    identify(page)
    answered(page)
    expect(page.get_by_role("alert")).to_be_empty()


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (503, {"Retry-After": "15"}, '{"message": "Full."}', "Full. Try again in 15 seconds."),
        (413, {}, '{"message": "Too large."}', "Too large. This server takes 25\u00a0MB a photo"),
        (500, {}, '{"message": "Oh.", "request_id": "f00"}', "the server: f00."),
        (422, {}, '{"message": "No.", "errors": {"top_k": ["Too many."]}}', "No. top_k: Too many."),
        (502, {}, "<html>a proxy</html>", "cannot be read (status 502)"),
        (200, {}, "<html>a proxy</html>", "cannot be read"),
    ],
)
def test_refusals_are_told_in_words(
    browser: Browser,
    server: str,
    flower: Path,
    status: int,
    headers: dict[str, str],
    body: str,
    words: str,
) -> None:
    page = browser.new_page()
    page.goto(server)
    expect(page.locator("#model option")).to_have_count(1)
    page.route(PREDICT, lambda route: route.fulfill(status=status, headers=headers, body=body))
    identify(page, flower)
    expect(page.get_by_role("alert")).to_be_visible()
    told = " ".join(page.get_by_role("alert").locator("p").all_inner_texts())
    assert words in told
    page.close()


def choices_with(server: str, **limits: Any) -> dict[str, Any]:
    """What can be chosen, as a server with these limits tells it."""
    choices: dict[str, Any] = requests.get(f"{server}/page/models", timeout=60).json()
    choices["limits"] |= limits
    return choices


def test_photos_that_are_too_large_are_told_before_they_are_sent(
    open_page: Open, server: str, flower: Path
) -> None:
    choices = choices_with(server, photo_bytes=160_000, total_bytes=200_000)
    page = open_page("about:blank")
    page.route(MODELS, lambda route: route.fulfill(json=choices))
    page.goto(server)
    expect(page.locator("#read")).to_contain_text("up to 0.2")
    content = flower.read_bytes()
    page.set_input_files("#files", [jpeg("a.jpg", content * 2), jpeg("b.jpg", content)])
    alerted(page, "a.jpg has 0.3\u00a0MB")
    expect(page.locator("#thumbs li")).to_have_count(1)
    page.set_input_files("#files", jpeg("c.jpg", content))
    alerted(page, "All photos together have 0.3\u00a0MB")
    identify(page)
    alerted(page, "All photos together")
    page.get_by_label("Remove photo 1: b.jpg").click()
    identify(page)
    answered(page)


def test_a_server_that_fetches_no_photos_takes_no_pasted_address(
    tmp_path: Path, open_page: Open, flower: Path
) -> None:
    with serving_all(tmp_path, "--processes", "1", allow_urls=False) as service:
        page = open_page(service.root)
        expect(page.locator("#model option")).to_have_count(1)
        expect(page.locator("#address-form")).to_be_hidden()
        page.evaluate(PASTE, ["", "https://example.org/photo.jpg"])
        alerted(page, "fetches no photos")
        expect(page.locator("#thumbs li")).to_have_count(0)
        content = base64.b64encode(flower.read_bytes()).decode()
        page.evaluate(PASTE, ["", f"data:image/jpeg;base64,{content}"])
        identify(page)
        answered(page)


def test_limits_that_come_after_the_photos_let_no_more_in(
    open_page: Open, server: str, flower: Path
) -> None:
    photos = [jpeg(f"p{place}.jpg", flower.read_bytes()) for place in range(4)]
    page = open_page("about:blank")
    held = hold(page, MODELS)
    with page.expect_request(MODELS):
        page.goto(server)
    page.set_input_files("#files", photos)
    held[0].fulfill(json=choices_with(server, photos=2))
    expect(page.locator("#model option")).to_have_count(1)
    page.set_input_files("#files", photos)
    alerted(page, "at most 2 photos here. 4 left out.")
    expect(page.locator("#thumbs li")).to_have_count(4)


@pytest.mark.parametrize(
    ("status", "body"), [(503, '{"message": "It restarts."}'), (200, "<html>a proxy</html>")]
)
def test_a_page_that_comes_without_its_words_says_so(
    open_page: Open, server: str, status: int, body: str
) -> None:
    page = open_page("about:blank")
    page.route("**/words.json", lambda route: route.fulfill(status=status, body=body))
    page.goto(server)
    alerted(page, "The page could not be loaded. Reload it in a moment.")
    page.unroute("**/words.json")
    page.reload()
    expect(page.get_by_role("heading", name="Which plant is this?")).to_be_visible()


def test_a_server_that_is_not_there(page: Page, flower: Path) -> None:
    page.route(PREDICT, lambda route: route.abort())
    identify(page, flower)
    alerted(page, "does not answer")


def test_a_running_question_is_asked_once_and_can_be_cancelled(page: Page, site: Web) -> None:
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one) if "predict" in one.url else None)
    site.asked.clear()
    page.fill("#address", f"{site.root}/silent")
    page.click("#address-form button")
    identify(page)
    expect(page.locator("#status")).to_contain_text("Looking at the photo")
    assert site.asked.wait(60)
    page.locator("#submit").press("Enter")
    assert len(asked) == 1
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_contain_text("Cancelled")
    expect(page.locator("#submit")).to_be_focused()
    expect(page.locator("#submit")).not_to_have_attribute("aria-disabled", "true")


def test_a_refusal_takes_the_last_answer_away_and_a_cancelled_question_does_not(
    page: Page, flower: Path
) -> None:
    identify(page, flower)
    answered(page)
    hold(page)
    identify(page, jpeg("notes.txt", b"no photo"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_contain_text("Cancelled")
    expect(page.locator("#answer")).to_be_visible()
    page.unroute(PREDICT)
    page.click("#submit")
    alerted(page, "not a picture")
    expect(page.locator("#answer")).to_be_hidden()


def test_a_new_answer_ends_what_was_asked_about_the_last_one(page: Page, flower: Path) -> None:
    identify(page, flower)
    answered(page)
    held = hold(page)
    with page.expect_request(PREDICT):
        page.click("#submit")
    with page.expect_request(PREDICT):
        page.click(".why button")
    question, explanation = held
    with page.expect_event("requestfailed", timeout=SECONDS * 1000) as ended:
        question.continue_()
    assert ended.value == explanation.request
    answered(page)
    expect(page.get_by_role("alert")).to_be_empty()


def test_the_photo_at_fault_is_marked_though_another_was_removed_meanwhile(
    page: Page, flower: Path
) -> None:
    content = flower.read_bytes()
    photos = [jpeg("a.jpg", content), jpeg("notes.txt", b"no photo"), jpeg("c.jpg", content)]
    page.set_input_files("#files", photos)
    held = hold(page)
    with page.expect_request(PREDICT):
        page.click("#submit")
    page.get_by_label("Remove photo 1: a.jpg").click()
    held[0].continue_()
    alerted(page, "notes.txt is not a picture")
    expect(page.locator("#thumbs li.faulty .name")).to_have_text(["notes.txt"])
    expect(page.get_by_text("This photo could not be used.")).to_have_count(1)
    expect(page.get_by_label("Remove photo 1: notes.txt")).to_have_accessible_description(
        "This photo could not be used."
    )


@pytest.mark.parametrize("sent", [["missing?size=1"], ["photo", "missing", "photo?again"]])
def test_the_address_at_fault_is_marked(page: Page, site: Web, sent: list[str]) -> None:
    for path in sent:
        page.fill("#address", f"{site.root}/{path}")
        page.keyboard.press("Enter")
    identify(page)
    alerted(page, "missing answers with the status 404")
    expect(page.locator("#thumbs li.faulty .name")).to_have_text(["missing"])
    expect(page.locator("#thumbs li.faulty")).to_contain_text("This photo could not be used.")


def test_a_lone_address_that_is_refused_is_marked(page: Page) -> None:
    page.fill("#address", "http://10.0.0.1/photo.jpg")
    identify(page)
    alerted(page, "This address is refused")
    expect(page.locator("#thumbs li.faulty")).to_have_count(1)


# For everybody


def test_it_fits_a_phone(open_page: Open, flower: Path) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    fits = "document.scrollingElement.scrollWidth <= innerWidth"
    expect(page.locator("#camera")).to_have_attribute("capture", "environment")
    expect(page.get_by_text("Take a photo")).to_be_visible()
    assert page.evaluate(fits)
    page.click("#settings summary")
    page.click("#species > summary")
    identify(page, flower)
    answered(page)
    page.click(".why button")
    expect(page.locator(".heat .lit")).to_be_visible(timeout=SECONDS * 1000)
    assert page.evaluate(fits)


def test_photos_of_one_name_are_told_apart_by_number(page: Page, flower: Path) -> None:
    photo = jpeg("image.jpg", flower.read_bytes())
    page.set_input_files("#files", [photo, photo])
    for number in (1, 2):
        for label in (f"photo {number} shows: image.jpg", f"Remove photo {number}: image.jpg"):
            expect(page.get_by_label(label)).to_have_count(1)
    page.get_by_label("Remove photo 1: image.jpg").click()
    expect(page.get_by_label("Remove photo 1: image.jpg")).to_be_focused()


def test_by_keyboard_alone(page: Page, flower: Path) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(selector)

    tab_to(".skip")
    tab_to("#files")
    page.set_input_files(":focus", flower)
    tab_to("#thumbs select")
    page.keyboard.press("f")
    expect(page.locator("#thumbs select")).to_have_value("flower")
    tab_to("#settings summary")
    page.keyboard.press("Enter")
    tab_to("#confidence")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#confidence-shown")).to_have_text("94\u00a0%")
    tab_to("#submit")
    page.keyboard.press("Enter")
    answered(page)
    tab_to(".results a")
    tab_to("#taxon")
    tab_to(".why button")
    page.keyboard.press("Space")
    expect(page.locator(".heat .lit")).to_be_visible(timeout=SECONDS * 1000)
    tab_to("#species > summary")
    page.keyboard.press("Enter")
    tab_to("#search")
    page.keyboard.type("daisy")
    expect(page.locator("#found")).to_contain_text("found")
    tab_to(".families summary")


def test_the_way_to_the_api_is_shown(page: Page, server: str) -> None:
    link = page.get_by_role("link", name="For programs: the API")
    expect(link).to_be_visible()
    address = f"{server}/{link.get_attribute('href')}"
    assert "swagger" in requests.get(address, timeout=60).text.lower()


def test_the_names_that_the_model_knows(page: Page) -> None:
    page.click("#species > summary")
    expect(page.locator("#found")).to_contain_text("starter knows 119 kinds of plants")
    page.get_by_text("Rosaceae").click()
    expect(page.locator(".families")).to_contain_text("Rosa sp. rose")
    page.fill("#search", "OXEYE")
    expect(page.locator("#found")).to_have_text("1 found.")
    expect(page.locator(".families li")).to_have_text("Leucanthemum vulgare oxeye daisy")
    page.fill("#search", "iris germanica")
    expect(page.locator(".families li")).to_contain_text("Iris × germanica")
    page.fill("#search", "welwitschia")
    expect(page.locator("#found")).to_contain_text("None found")
    assert faults(page) == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, flower: Path, scheme: str) -> None:
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#model option")).to_have_count(1)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 25, 20)"
    assert dark is (scheme == "dark")
    assert faults(page) == "", "empty"
    page.click("#settings summary")
    identify(page, flower)
    answered(page)
    page.click(".why button")
    expect(page.locator(".heat .lit")).to_be_visible(timeout=SECONDS * 1000)
    assert faults(page) == "", "answered"
    identify(page, jpeg("notes.txt", b"no photo"))
    alerted(page, "not a picture")
    page.click("#species > summary")
    expect(page.locator("#found")).to_contain_text("knows")
    page.get_by_text("Asteraceae", exact=True).last.click()
    assert faults(page) == "", "an error, and species"


# A server with keys


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A server that wants a key, and the key."""
    folder = tmp_path_factory.mktemp("keyed")
    file = folder / "keys"
    made = CliRunner().invoke(cli, ["keys", "add", "park", "--api-keys", str(file)])
    with serving_all(folder, "--processes", "1", "--api-keys", str(file)) as service:
        yield service, made.stdout.strip()


def give(page: Page, key: str) -> None:
    page.fill("#key", key)
    page.keyboard.press("Enter")


def with_key_forgotten(route: Route) -> None:
    """Let the server get the request without its key."""
    headers = route.request.headers
    del headers["authorization"]
    route.continue_(headers=headers)


def test_a_server_with_keys_asks_for_one(
    keyed: tuple[Service, str], open_page: Open, flower: Path
) -> None:
    service, key = keyed
    page = open_page(service.root)
    alerted(page, "wants an API key")
    expect(page.get_by_role("link", name="the API")).to_have_count(0)
    expect(page.locator("#key")).to_be_focused()
    assert faults(page) == ""
    give(page, "wrong")
    alerted(page, "does not know that key")
    give(page, key)
    expect(page.locator("#model option")).to_have_count(1)
    expect(page.locator("#key-form")).to_be_hidden()
    identify(page, flower)
    answered(page)
    page.route(PREDICT, with_key_forgotten, times=1)
    page.click("#submit")
    alerted(page, "does not know that key")
    give(page, key)
    answered(page)
    page.reload()
    expect(page.locator("#model option")).to_have_count(1)
    expect(page.get_by_role("link", name="the API")).to_have_count(0)
    assert key not in service.log()


NO_SITE_DATA = """Object.defineProperty(window, "sessionStorage", {
    get() { throw new DOMException("Access is denied for this document.", "SecurityError") },
})"""


def test_a_browser_that_blocks_site_data_can_use_the_page(
    keyed: tuple[Service, str], open_page: Open, server: str, flower: Path
) -> None:
    page = open_page("about:blank")
    page.add_init_script(NO_SITE_DATA)
    page.goto(server)
    identify(page, flower)
    answered(page)
    service, key = keyed
    page.goto(service.root)
    alerted(page, "wants an API key")
    give(page, key)
    identify(page, flower)
    answered(page)


def test_what_speaks_for_a_taxon_is_shown_when_the_key_is_given(
    keyed: tuple[Service, str], open_page: Open, flower: Path
) -> None:
    service, key = keyed
    page = open_page(service.root)
    give(page, key)
    expect(page.locator("#model option")).to_have_count(1)
    identify(page, flower)
    answered(page)
    page.route(PREDICT, with_key_forgotten, times=1)
    page.click(".why button")
    alerted(page, "does not know that key")
    give(page, key)
    expect(page.locator(".heat .lit")).to_be_visible(timeout=SECONDS * 1000)
    expect(page.locator(".why button")).to_be_focused()
