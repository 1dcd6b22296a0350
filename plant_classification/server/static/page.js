// The page: what happens when.

import { answerParts } from "./answer.js";
import { Refusal, ask, hasKey, inWords, isKey, keepKey, predict } from "./asking.js";
import { choicesInto, chosenModel, limits, showConfidence, useChoices } from "./choices.js";
import { $, make } from "./elements.js";
import { heatPart } from "./heat.js";
import {
  addAddress,
  addFiles,
  currentPhotos,
  isAddress,
  markFaulty,
  photosInto,
  sizeFault,
  usePhotos,
} from "./photos.js";
import { forgetSpecies, knownModel, search, useSpecies } from "./species.js";
import { fillPage, loadWords, say } from "./words.js";

let running = null;
let explaining = null;
let again = null;

function tell(sentence) {
  $("status").textContent = sentence;
}

function complain(sentences) {
  $("alert").replaceChildren(...sentences.map((sentence) => make("p", {}, sentence)));
  if (sentences.length) $("alert").scrollIntoView({ block: "nearest" });
}

// What an error means for the page; work is done again when a key is given.
function failed(error, work) {
  if (error.name === "AbortError") return;
  if (error.status !== 401) {
    const isRefusal = error instanceof Refusal;
    if (!isRefusal) console.error(error);
    complain(inWords(isRefusal ? error : new Refusal(200), limits()));
    return;
  }
  complain([say(hasKey() ? "key.wrong" : "key.wanted")]);
  again = work;
  $("key-form").hidden = false;
  $("key").focus();
}

async function useKey(event) {
  event.preventDefault();
  const key = $("key").value.trim();
  if (!key || !again) return;
  if (!isKey(key)) {
    complain([say("key.wrong")]);
    return;
  }
  keepKey(key);
  const work = again;
  again = null;
  $("key").value = "";
  $("key-form").hidden = true;
  complain([]);
  if (!limits() && work !== loadChoices) await loadChoices();
  await work();
  if (!again && !$("answer").contains(document.activeElement)) $("files").focus();
}

async function loadChoices() {
  try {
    useChoices(await (await ask("page/models")).json());
    usePhotos(limits(), tell, complain);
    $("api").hidden = hasKey(); // which a link does not send
    if ($("species").open) await loadSpecies();
  } catch (error) {
    failed(error, loadChoices);
  }
}

async function loadSpecies() {
  const model = chosenModel();
  if (!$("species").open || (model && knownModel() === model)) return;
  forgetSpecies();
  try {
    const found = await ask(`page/species?model=${encodeURIComponent(model)}`);
    if (chosenModel() === model) useSpecies(await found.json());
  } catch (error) {
    $("found").textContent = "";
    failed(error, loadSpecies);
  }
}

function setRunning(controller) {
  running = controller;
  $("cancel").hidden = !controller;
  $("question").classList.toggle("running", Boolean(controller));
  $("question").setAttribute("aria-busy", String(Boolean(controller)));
  if (controller) $("submit").setAttribute("aria-disabled", "true");
  else $("submit").removeAttribute("aria-disabled");
}

// Add the address that was typed; whether it could be.
function takeAddress() {
  const isAdded = addAddress($("address").value);
  if (isAdded) $("address").value = "";
  return isAdded;
}

async function identify() {
  if (running) return;
  complain([]);
  if ($("address").value.trim() && !takeAddress()) return;
  const photos = currentPhotos();
  markFaulty(photos, {});
  const fault = photos.length ? sizeFault() : say("photos.none");
  if (fault) {
    complain([fault]);
    return;
  }
  const form = new FormData();
  photosInto(form, photos);
  choicesInto(form);
  const controller = new AbortController();
  explaining?.abort();
  setRunning(controller);
  tell(photos.length === 1 ? say("asking.one") : say("asking.more", { number: photos.length }));
  try {
    const response = await predict(form, "application/json", controller.signal);
    show(await response.json(), photos, form);
    tell("");
  } catch (error) {
    const isCancelled = error.name === "AbortError";
    tell(isCancelled ? say("cancelled") : "");
    if (!isCancelled) dropAnswer();
    markFaulty(photos, error.errors ?? {});
    failed(error, identify);
  } finally {
    if (document.activeElement === $("cancel")) $("submit").focus();
    setRunning(null);
  }
}

// Take away the last answer, and end what is still asked about it.
function dropAnswer() {
  explaining?.abort();
  $("answer").hidden = true;
}

function show(answer, photos, form) {
  dropAnswer();
  async function explain(taxon) {
    const asked = new FormData();
    for (const [name, value] of form.entries()) asked.append(name, value);
    asked.append("taxon", taxon);
    complain([]);
    explaining = new AbortController();
    return (await predict(asked, "image/png", explaining.signal)).blob();
  }

  const why = heatPart(answer, photos, explain, failed);
  const [sentence, ...rest] = answerParts(answer, why);
  $("answer").replaceChildren(sentence, ...rest);
  $("answer").hidden = false;
  $("tips").hidden = true;
  sentence.focus();
}

function listen() {
  for (const input of [$("files"), $("camera")]) {
    input.addEventListener("change", () => {
      addFiles(input.files);
      input.value = "";
    });
  }
  $("address-form").addEventListener("submit", (event) => {
    event.preventDefault();
    takeAddress();
  });
  $("question").addEventListener("submit", (event) => {
    event.preventDefault();
    identify();
  });
  $("cancel").addEventListener("click", () => running?.abort());
  $("key-form").addEventListener("submit", useKey);
  $("confidence").addEventListener("input", showConfidence);
  $("model").addEventListener("change", loadSpecies);
  $("species").addEventListener("toggle", loadSpecies);
  $("search").addEventListener("input", () => search($("search").value));
  document.addEventListener("paste", pasted);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) $("drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    take(event.dataTransfer);
  });
}

// Photos, or else an address, that were dropped or pasted; whether there were any.
function take(transfer) {
  const files = [...transfer.files];
  const text = transfer.getData("text/uri-list").split("\n")[0] || transfer.getData("text/plain");
  if (files.length) addFiles(files);
  else if (isAddress(text)) addAddress(text);
  else return false;
  return true;
}

function pasted(event) {
  const isWriting = event.target.matches?.("input, textarea") && !event.clipboardData.files.length;
  if (!isWriting && take(event.clipboardData)) event.preventDefault();
}

async function start() {
  fillPage();
  usePhotos(null, tell, complain);
  showConfidence();
  listen();
  $("page").hidden = false;
  await loadChoices();
}

await loadWords().then(start, () => ($("blank").hidden = false));
