// The answer: one sentence first, then what it rests on.

import { bar, commonName, latin, make } from "./elements.js";
import { percent, phrase, say } from "./words.js";

const MOST_PLAUSIBLE = 10;
const LINKS = ["gbif", "powo", "wikipedia", "wikimedia"];

// The elements of the answer, the first of them the heading that gets the focus; why is the part
// that shows what speaks for a name.
export function answerParts(answer, why) {
  return [
    make("h2", { id: "sentence", class: "sentence", tabindex: "-1" }, sentence(answer)),
    ...reasons(answer).map((one) => make("p", { class: "reason" }, one)),
    ...warnings(answer),
    results(answer),
    ...plausible(answer),
    why,
    sums(answer),
    ...similar(answer),
    notes(answer),
  ];
}

// Which photos were looked at, and by what.
function notes(answer) {
  const { name, architecture, labels, version } = answer.model;
  return make(
    "div",
    { class: "notes" },
    ...answer.photos.map((photo) => make("p", { class: "note" }, say("photo.seen", photo))),
    make("p", { class: "note" }, say("model.seen", { name, architecture, labels, version })),
  );
}

function sentence(answer) {
  const safe = answer.safe_answer;
  if (answer.rejected) return say("sentence.rejected");
  if (safe.name === null) return say("sentence.none", { confidence: percent(safe.confidence) });
  const share = safe.promised ? safe.confidence : safe.probability;
  const sure = say(share >= 0.9 ? "sure.very" : share >= 0.7 ? "sure.likely" : "sure.perhaps");
  const name = nameAt(safe.rank, safe.name);
  const common = commonOf(answer, safe);
  const key = `sentence.${safe.rank}`;
  return common ? phrase(`${key}.common`, { sure, name, common }) : phrase(key, { sure, name });
}

function reasons(answer) {
  const safe = answer.safe_answer;
  if (answer.rejected) {
    return answer.is_plant ? [say("sentence.rejected.why", { probability: percent(answer.is_plant.probability) })] : [];
  }
  if (safe.name === null) return [nearest(answer)];
  const trust = safe.promised
    ? say("promised", { hundred: Math.round(100 * safe.confidence) })
    : say("promised.not", { probability: percent(safe.probability) });
  const rest = { genus: "promised.not.species", family: "promised.not.genus" }[safe.rank];
  const isLabel = answer.results.some(({ species, genus }) => species === null && genus === safe.name);
  return rest && !(safe.rank === "genus" && isLabel) ? [trust, say(rest)] : [trust];
}

function nearest(answer) {
  const [[family], [genus]] = [answer.families, answer.genera];
  if (!family && !genus) return "";
  // The family of the most probable genus may be unknown.
  const rank = family && !(genus?.probability > family.probability) ? "family" : "genus";
  const best = rank === "family" ? family : genus;
  return phrase(`sentence.none.nearest.${rank}`, {
    name: nameAt(rank, best.name),
    probability: percent(best.probability),
  });
}

function commonOf(answer, { rank, name }) {
  const result = answer.results.find(
    ({ species, genus }) => (rank === "species" && species === name) || (rank === "genus" && species === null && genus === name),
  );
  const common = result ? commonName(result.common_names) : null;
  return common?.toLowerCase() === name.toLowerCase() ? null : common;
}

function nameAt(rank, name) {
  return rank === "family" ? make("span", { lang: "la" }, name) : latin(name);
}

function warnings({ warnings: found }) {
  if (!found.length) return [];
  return [
    make(
      "div",
      { class: "warnings" },
      make("h3", {}, say("warnings.title")),
      make("ul", {}, ...found.map((warning) => make("li", {}, warning))),
    ),
  ];
}

function results(answer) {
  return make(
    "section",
    { "aria-labelledby": "results-title" },
    make("h3", { id: "results-title" }, say("results.title")),
    make("ol", { class: "results" }, ...answer.results.map(result)),
  );
}

function result({ label, species, genus, family, author, probability, common_names: names, links }) {
  const common = commonName(names);
  const placed = species ? say("results.genus", { genus }) : say("results.genus.only");
  return make(
    "li",
    {},
    make(
      "div",
      { class: "line" },
      make(
        "span",
        { class: "names" },
        make("b", {}, latin(species ?? label)),
        author ? make("small", {}, ` ${author}`) : null,
        common ? make("span", { class: "common" }, ` ${common}`) : null,
      ),
      " ",
      make("span", { class: "share" }, percent(probability)),
    ),
    bar(probability),
    make(
      "div",
      { class: "line placed" },
      make("span", {}, [family, placed].filter(Boolean).join(" · ")),
      " ",
      make(
        "span",
        { class: "links" },
        ...LINKS.filter((site) => links[site]).flatMap((site) => [link(site, links[site], species ?? label), " "]),
      ),
    ),
  );
}

function link(site, address, name) {
  const described = `${say(`link.${site}`)}: ${name} (${say("link.opens")})`;
  const attributes = { href: address, target: "_blank", rel: "noopener noreferrer", "aria-label": described };
  return make("a", attributes, say(`link.${site}`));
}

function plausible({ plausible: found }) {
  if (!found || found.species.length < 2) return [];
  const shown = found.species.slice(0, MOST_PLAUSIBLE);
  const more = found.species.length - shown.length;
  const names = make("span", {});
  shown.forEach((name, place) => names.append(place ? ", " : "", latin(name)));
  if (more) names.append(" ", say("plausible.more", { number: more }));
  const values = { coverage: percent(found.coverage), number: found.species.length, names };
  return [
    make(
      "section",
      { "aria-labelledby": "plausible-title" },
      make("h3", { id: "plausible-title" }, say("plausible.title")),
      make("p", {}, phrase(found.promised ? "plausible.some" : "plausible.not", values)),
    ),
  ];
}

function sums({ genera, families }) {
  return make(
    "div",
    { class: "sums" },
    taxa("genera", "genus", genera),
    families.length ? taxa("families", "family", families) : null,
  );
}

function taxa(name, rank, found) {
  return make(
    "section",
    { "aria-labelledby": `${name}-title` },
    make("h3", { id: `${name}-title` }, say(`${name}.title`)),
    make(
      "ol",
      { class: "taxa" },
      ...found.map((taxon) =>
        make(
          "li",
          {},
          make(
            "div",
            { class: "line" },
            nameAt(rank, taxon.name),
            " ",
            make("span", { class: "share" }, percent(taxon.probability)),
          ),
          bar(taxon.probability),
        ),
      ),
    ),
  );
}

function similar({ similar: found }) {
  if (!found?.length) return [];
  return [
    make(
      "section",
      { "aria-labelledby": "similar-title" },
      make("h3", { id: "similar-title" }, say("similar.title")),
      make(
        "ol",
        { class: "similar" },
        ...found.map(({ photo, label, similarity }) =>
          make(
            "li",
            {},
            phrase("similar.one", { label: latin(label), similarity: percent(Math.max(0, similarity)) }),
            make("small", {}, ` ${photo}`),
          ),
        ),
      ),
    ),
  ];
}
