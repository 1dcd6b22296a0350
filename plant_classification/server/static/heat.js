// What in the photos speaks for a taxon: a picture of all their square views beside each other.

import { latin, make } from "./elements.js";
import { pictureOf } from "./photos.js";
import { phrase, say } from "./words.js";

// A part of the answer.
// explain: from a taxon's name to a blob; failed: told an error, and what to do again.
export function heatPart(answer, photos, explain, failed) {
  const choice = make("select", { id: "taxon" }, ...groups(answer));
  const status = make("p", { class: "note", role: "status" });
  const shown = make("div", { class: photos.length > 1 ? "heat many" : "heat" });
  const show = make("button", { type: "submit", class: "button quiet" }, say("heat.show"));
  let address = null;

  async function showFor(name) {
    show.setAttribute("aria-disabled", "true");
    status.replaceChildren(phrase("heat.asking", { name: latin(name) }));
    try {
      const picture = await explain(name);
      if (address) URL.revokeObjectURL(address);
      address = URL.createObjectURL(picture);
      shown.replaceChildren(...photos.map((photo, place) => pair(photo, place, photos.length, address, name)));
      status.replaceChildren(phrase("heat.done", { name: latin(name) }));
    } catch (error) {
      status.textContent = "";
      failed(error, () => {
        show.focus();
        return showFor(name);
      });
    } finally {
      show.removeAttribute("aria-disabled");
    }
  }

  function submitted(event) {
    event.preventDefault();
    if (!show.getAttribute("aria-disabled")) showFor(choice.value);
  }

  return make(
    "section",
    { "aria-labelledby": "heat-title", class: "why" },
    make("h3", { id: "heat-title" }, say("heat.title")),
    make(
      "form",
      { class: "address", onsubmit: submitted },
      make("label", { for: "taxon" }, say("heat.taxon")),
      make("div", { class: "joined" }, choice, show),
    ),
    status,
    shown,
  );
}

function groups({ results, genera, families }) {
  const found = [
    ["heat.species", results.map(({ label }) => label)],
    ["heat.genera", genera.map(({ name }) => name)],
    ["heat.families", families.map(({ name }) => name)],
  ];
  return found
    .filter(([, names]) => names.length)
    .map(([key, names]) =>
      make("optgroup", { label: say(key) }, ...names.map((name) => make("option", { value: name }, name))),
    );
}

// A photo beside what speaks in it. The views stand in one row: each is shown by moving it.
function pair(photo, place, count, address, name) {
  const number = place + 1;
  const lit = make("img", { class: "lit", src: address, alt: say("heat.alt", { number, name }) });
  lit.style.objectPosition = count > 1 ? `${(100 * place) / (count - 1)}% 0` : "0 0";
  const original = photo.picture ? pictureOf(photo, say("heat.photo", { number })) : null;
  return make("figure", {}, original, lit);
}
