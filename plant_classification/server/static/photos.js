// The photos of the plant: files, or addresses, never both.

import { $, make } from "./elements.js";
import { megabytes, say } from "./words.js";

const ORGANS = ["auto", "leaf", "flower", "fruit", "bark", "habit", "other"];
const ADDRESS = /^(https?:\/\/\S+|data:image\/\S+)$/i;

let photos = [];
let limits = { photos: 5, photo_bytes: 25e6, total_bytes: 50e6, urls: true };
let tell = () => {};
let complain = () => {};

// told: says in a live region what was done; wrong: says what could not be.
export function usePhotos(found, told, wrong) {
  limits = found ?? limits;
  tell = told;
  complain = wrong;
}

export function currentPhotos() {
  return [...photos];
}

export function isAddress(text) {
  return ADDRESS.test(text.trim()) && parsed(text.trim()) !== null;
}

export function addFiles(files) {
  add([...files].map((file) => ({ file, name: file.name || say("photos.pasted") })));
}

export function addAddress(text) {
  const address = text.trim();
  if (!isAddress(address)) {
    complain([say("address.wrong")]);
    return false;
  }
  if (!limits.urls && !holdsPicture(address)) {
    complain([say("address.off")]);
    return false;
  }
  return add([{ address, name: nameOf(address) }]);
}

function add(added) {
  if (!added.length) return false;
  const isMixed = photos.some((photo) => Boolean(photo.file) !== Boolean(added[0].file));
  if (isMixed) {
    complain([say("photos.mixed")]);
    return false;
  }
  const wrong = [];
  const fitting = added.filter(({ file, name }) => {
    const isLarge = file && file.size > limits.photo_bytes;
    const sizes = { megabytes: megabytes(file?.size ?? 0), most: megabytes(limits.photo_bytes) };
    if (isLarge) wrong.push(say("photos.large", { name, ...sizes }));
    return !isLarge;
  });
  const taken = fitting.slice(0, Math.max(0, limits.photos - photos.length));
  if (taken.length < fitting.length) {
    wrong.push(say("photos.many", { most: limits.photos, left: fitting.length - taken.length }));
  }
  for (const photo of taken) {
    photo.organ = "auto";
    photo.picture = shownAt(photo);
    photos.push(photo);
  }
  if (sizeFault()) wrong.push(sizeFault());
  complain(wrong);
  if (taken.length) tell(taken.map(({ name }) => say("photos.added", { name })).join(" "));
  draw();
  return taken.length > 0;
}

// Where the browser may get the picture: never from another host.
function shownAt({ file, address }) {
  if (file) return URL.createObjectURL(file);
  return holdsPicture(address) ? address : null;
}

function holdsPicture(address) {
  return /^data:/i.test(address);
}

// Why all photos together cannot be sent; null where they can.
export function sizeFault() {
  const total = photos.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
  if (total <= limits.total_bytes) return null;
  return say("photos.large.all", { megabytes: megabytes(total), most: megabytes(limits.total_bytes) });
}

function remove(photo) {
  const place = photos.indexOf(photo);
  photos.splice(place, 1);
  complain([]);
  tell(say("photos.removed", { name: photo.name }));
  draw();
  const buttons = $("thumbs").querySelectorAll("button");
  (buttons[Math.min(place, buttons.length - 1)] ?? $("files")).focus();
}

// Mark those of the photos that were sent which an error names.
export function markFaulty(sent, errors) {
  const faulty = new Set(sent.filter((photo, place) => isAtFault(photo, place, sent.length, errors)));
  photos.forEach((photo, place) => {
    const item = $("thumbs").children[place];
    item.classList.toggle("faulty", faulty.has(photo));
    item.querySelector(".fault").textContent = faulty.has(photo) ? say("photos.faulty") : "";
  });
}

// Addresses have one field: which is at fault is told by what the message begins with.
function isAtFault({ address }, place, count, errors) {
  if (!address) return fieldOf(place) in errors;
  const [bare] = address.split(/[?#]/);
  return [errors.urls ?? []].flat().some((message) => count === 1 || message.startsWith(`${bare} `));
}

function fieldOf(place) {
  return place ? `data${place + 1}` : "data";
}

// What the photos add to a question.
export function photosInto(form, sent) {
  sent.forEach(({ file, address, name }, place) => {
    if (file) form.append(fieldOf(place), file, name);
    else form.append("urls", address);
  });
  if (sent.some(({ organ }) => organ !== "auto")) {
    sent.forEach(({ organ }) => form.append("organs", organ));
  }
}

function draw() {
  $("thumbs").replaceChildren(...photos.map(drawn));
  $("thumbs").hidden = photos.length === 0;
  $("drop").classList.toggle("small", photos.length > 0);
}

function drawn(photo, place) {
  const { name } = photo;
  const named = { number: place + 1, name };
  const fault = make("p", { class: "fault", id: `fault${place}` });
  const organ = make(
    "select",
    { "aria-label": say("photos.organ", named), onchange: (event) => (photo.organ = event.target.value) },
    ...ORGANS.map((one) => make("option", { value: one, selected: one === photo.organ }, say(`organ.${one}`))),
  );
  return make(
    "li",
    {},
    pictureOf(photo, say("photos.alt", named)),
    make("span", { class: "name", title: name }, name),
    organ,
    make(
      "button",
      {
        type: "button",
        class: "remove",
        "aria-label": say("photos.remove", named),
        "aria-describedby": fault.id,
        onclick: () => remove(photo),
      },
      "×",
    ),
    fault,
  );
}

// The photo, or its kind where the browser cannot show it or must not fetch it.
export function pictureOf(photo, alt) {
  const blank = make("span", { class: "blank", role: "img", "aria-label": alt }, kindOf(photo));
  if (!photo.picture) return blank;
  return make("img", { src: photo.picture, alt, onerror: (event) => event.target.replaceWith(blank) });
}

function kindOf({ address, name }) {
  return address ? parsed(address).host : name.split(".").pop().toUpperCase().slice(0, 5);
}

function nameOf(address) {
  if (holdsPicture(address)) return say("photos.pasted");
  const { pathname, host } = parsed(address);
  try {
    return decodeURIComponent(pathname.split("/").pop()) || host;
  } catch {
    return address; // with a sign that is no UTF-8
  }
}

// An address in its parts; null where it is none.
function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
