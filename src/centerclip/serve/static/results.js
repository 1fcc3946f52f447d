// The grid of cards, one per content even if its moments are on several pages; arrow keys move through it, and x
// selects.

import { card } from "./cards.js";
import { byId, nameOf } from "./format.js";

const grid = byId("results");
let shown = new Map(); // video id -> its hits and its card

export function setUp() {
  grid.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "x" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.target.closest(".cell, .card")?.querySelector(":scope > .choose input").click();
    }
    const cards = [...grid.querySelectorAll(".card > .open")];
    const at = cards.indexOf(event.target);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    cards[at + step]?.focus();
  });
}

export function clear() {
  grid.replaceChildren();
  shown = new Map();
}

// Adds moments, or with `whole` videos, of which those with the same content are copies.
export function append(hits, act, { whole = false } = {}) {
  const groups = new Map();
  for (const hit of hits) groups.set(hit.video_id, [...(groups.get(hit.video_id) ?? []), hit]);
  for (const [id, found] of groups) {
    const before = shown.get(id);
    const all = [...(before?.hits ?? []), ...found];
    const element = card(whole ? [withCopies(all)] : all, act);
    if (before) before.element.replaceWith(element);
    else grid.append(element);
    shown.set(id, { hits: all, element });
  }
}

// One that is there gives the card its name.
function withCopies(files) {
  const [first, ...others] = files.toSorted((one, other) => one.missing - other.missing);
  return { ...first, copies: others.map(nameOf) };
}

export const counts = () => ({
  videos: shown.size,
  moments: [...shown.values()].reduce((total, { hits }) => total + hits.length, 0),
});

// Whether there is a hit, and none is more than a weak one.
export const onlyWeak = () => shown.size > 0 && [...shown.values()].every(({ hits }) => hits.every((hit) => hit.weak));

const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
