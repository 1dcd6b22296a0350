// Asking the server, with the key where it wants one; and what a refusal means in words.

import { megabytes, say } from "./words.js";

const PREDICT = "v2/models/plant_classification/predict/";
const KEY = "plant_classification.key";

let key = kept();

export class Refusal extends Error {
  constructor(status, body = {}, seconds = null) {
    super(body.message ?? "");
    this.status = status;
    this.errors = body.errors ?? {};
    this.id = body.request_id;
    this.seconds = seconds;
  }
}

export function hasKey() {
  return key !== null;
}

// Whether a text can be a key: nothing else fits in a header.
export function isKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

export function keepKey(given) {
  key = given;
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // A browser that blocks site data forgets it with the page.
  }
}

function kept() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

// The response, or a Refusal; an AbortError where it was cancelled.
export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (hasKey()) headers.set("Authorization", `Bearer ${key}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Refusal(0);
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

// Ask what a plant is (accept is JSON), or for the picture that explains it.
export function predict(form, accept, signal) {
  return ask(PREDICT, { method: "POST", body: form, headers: { Accept: accept }, signal });
}

async function refusalOf(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After"), 10) || null;
  try {
    return new Refusal(response.status, await response.json(), seconds);
  } catch {
    return new Refusal(response.status, {}, seconds);
  }
}

// The sentences that say what went wrong and what to do.
export function inWords(refusal, limits) {
  if (refusal.status === 0) return [say("error.network")];
  const sentences = [refusal.message || say("error.odd", { status: refusal.status })];
  for (const [field, messages] of Object.entries(refusal.errors)) {
    for (const message of [messages].flat()) {
      if (!refusal.message.includes(message)) sentences.push(say("error.field", { field, message }));
    }
  }
  if (refusal.status === 413 && limits) {
    const [photo, total] = [limits.photo_bytes, limits.total_bytes].map(megabytes);
    sentences.push(say("error.413", { photo, total }));
  }
  if (refusal.seconds === 1) sentences.push(say("error.retry.one"));
  else if (refusal.seconds) sentences.push(say("error.retry", { seconds: refusal.seconds }));
  if (refusal.status === 500 && refusal.id) sentences.push(say("error.request", { id: refusal.id }));
  return sentences;
}
