// The settings: model, species list, how closely to look, how sure to be.

import { $, make } from "./elements.js";
import { megabytes, say } from "./words.js";

let found = null;

export function limits() {
  return found?.limits ?? null;
}

// What can be chosen, as /page/models tells it.
export function useChoices(choices) {
  found = choices;
  $("model").replaceChildren(
    ...found.models.map(({ name, labels }) =>
      make("option", { value: name, selected: name === found.default }, say("settings.model.option", { name, labels })),
    ),
  );
  $("list").replaceChildren(
    make("option", { value: "" }, say("settings.list.all")),
    ...found.species_lists.map((name) => make("option", { value: name }, name)),
  );
  $("list-field").hidden = found.species_lists.length === 0;
  $("address-form").hidden = !found.limits.urls;
  $("read").textContent = say("photos.read", {
    formats: found.formats,
    megabytes: megabytes(found.limits.photo_bytes),
  });
}

export function chosenModel() {
  return $("model").value;
}

export function showConfidence() {
  const value = say("settings.confidence.value", { percent: Math.round(100 * $("confidence").value) });
  $("confidence-shown").textContent = value;
  $("confidence").setAttribute("aria-valuetext", value);
}

// What the settings add to a question.
export function choicesInto(form) {
  if (chosenModel()) form.append("model", chosenModel());
  if ($("list").value) form.append("species_list", $("list").value);
  form.append("crops", $("crops").value);
  form.append("confidence", $("confidence").value);
}
