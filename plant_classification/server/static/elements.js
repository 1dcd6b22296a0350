// Making and finding elements.

export function $(id) {
  return document.getElementById(id);
}

// An element: names that begin with "on" are listeners, all others attributes; null and false are
// left out.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// A scientific name: Latin, in italics but for "sp." and the sign of hybrids.
export function latin(name) {
  const whole = document.createElement("span");
  whole.lang = "la";
  for (const word of name.split(/( sp\.| × | x )/)) {
    whole.append(/^ /.test(word) ? word : make("i", {}, word));
  }
  return whole;
}

// The usual common name in the reader's language, else in English; null where none is known.
export function commonName(names) {
  const language = navigator.language.slice(0, 2);
  return (names[language] ?? names.en ?? [])[0] ?? null;
}

// A bar of that share of the width.
export function bar(share) {
  const filled = make("span", {});
  filled.style.width = `${(100 * share).toFixed(2)}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, filled);
}
