// The names that a model knows, by family, with a search.

import { $, commonName, latin, make } from "./elements.js";
import { say } from "./words.js";

const MOST_SHOWN = 300;

let known = null;

export function knownModel() {
  return known?.model ?? null;
}

export function useSpecies(species) {
  known = species;
  search($("search").value);
}

export function forgetSpecies() {
  known = null;
  $("families").replaceChildren();
  $("found").textContent = say("species.loading");
}

export function search(text) {
  if (!known) return;
  const wanted = plain(text);
  const families = known.families
    .map((family) => ({ ...family, labels: labelsOf(family, wanted) }))
    .filter(({ labels }) => labels.length);
  if (!wanted) {
    const named = known.families.filter(({ name }) => name).length;
    $("found").textContent = say("species.all", { model: known.model, labels: known.labels, families: named });
    $("families").replaceChildren(...families.map((family) => familyPart(family, false)));
    return;
  }
  const count = families.reduce((sum, { labels }) => sum + labels.length, 0);
  const more = Math.max(0, count - MOST_SHOWN);
  const told = count ? say("species.found", { labels: count }) : say("species.none");
  $("found").textContent = more ? `${told} ${say("species.more", { number: more })}` : told;
  let left = MOST_SHOWN;
  const shown = [];
  for (const family of families) {
    const labels = family.labels.slice(0, left);
    left -= labels.length;
    if (labels.length) shown.push(familyPart({ ...family, labels }, true));
  }
  $("families").replaceChildren(...shown);
}

function labelsOf({ name: family, genera }, wanted) {
  const isWhole = plain(family ?? "").includes(wanted);
  return genera.flatMap(({ labels }) =>
    labels.filter(({ name, species, common_names: names }) =>
      isWhole || [name, species ?? "", ...Object.values(names).flat()].some((one) => plain(one).includes(wanted)),
    ),
  );
}

// Without accents, signs of hybrids and capitals.
function plain(text) {
  return text.normalize("NFD").replace(/[\u0300-\u036f×]/g, "").replace(/\s+/g, " ").trim().toLowerCase();
}

// Its names are put in when it is opened: a model may know thousands.
function familyPart({ name, labels }, isOpen) {
  const part = make(
    "details",
    { ontoggle: () => part.open && fill() },
    make(
      "summary",
      {},
      name ? make("span", { lang: "la" }, name) : say("species.family.none"),
      " ",
      make("small", {}, say("species.count", { number: labels.length })),
    ),
  );
  function fill() {
    if (part.children.length === 1) part.append(make("ul", {}, ...labels.map(labelPart)));
  }
  part.open = isOpen;
  if (isOpen) fill();
  return part;
}

function labelPart({ name, species, common_names: names }) {
  const common = commonName(names);
  return make("li", {}, latin(species ?? name), common ? make("small", {}, ` ${common}`) : null);
}
