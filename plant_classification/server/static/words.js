// All that people read, from words.json.

let words = {};

export async function loadWords() {
  const response = await fetch("page/static/words.json");
  if (!response.ok) throw new Error(`words.json: ${response.status}`);
  words = await response.json();
}

// A text with its {places} filled.
export function say(key, values = {}) {
  return parts(key).map((part) => (part.place ? String(values[part.place]) : part.text)).join("");
}

// The same where values may be elements: a fragment.
export function phrase(key, values = {}) {
  const whole = document.createDocumentFragment();
  for (const part of parts(key)) {
    whole.append(part.place ? values[part.place] : part.text);
  }
  return whole;
}

function parts(key) {
  return (words[key] ?? key)
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((text) => (/^\{\w+\}$/.test(text) ? { place: text.slice(1, -1) } : { text }));
}

// Put the words into the page, where its elements name them.
export function fillPage() {
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = say(element.dataset.word);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = say(element.dataset.placeholder);
  }
}

// A share in percent, never rounded up to certainty or down to nothing.
export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "<\u00a00.1\u00a0%";
  if (value > 99.9 && value < 100) return ">\u00a099.9\u00a0%";
  const places = (value >= 9.95 && value < 99) || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(places)}\u00a0%`;
}

export function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes % 1e6 ? 1 : 0);
}
