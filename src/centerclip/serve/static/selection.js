// Moments that the visitor has selected, also from several searches, and the bar that saves them.

import { saveMoments } from "./downloads.js";
import { byId, clock, make, plural } from "./format.js";

const MAKING = { zip: "Cutting the clips", reel: "Cutting the reel" };
const LONGEST_TITLE = 200;

const chosen = new Map(); // key -> moment, in the order in which they were selected
let running = null; // aborts the export that is being made

const bar = byId("selection");
const keyOf = ({ video_id, start, end }) => `${video_id} ${start} ${end}`;

// `title()` names what is saved.
export function setUp({ title }) {
  for (const button of bar.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => save(button.dataset.format, title().slice(0, LONGEST_TITLE)));
  }
  byId("selection-stop").addEventListener("click", () => running?.abort());
  byId("selection-clear").addEventListener("click", clear);
}

export const has = (hit) => chosen.has(keyOf(hit));

// Selects a moment, or takes it out of the selection. Returns how many are selected.
export function toggle(hit) {
  choose(hit, !has(hit));
  return chosen.size;
}

// The box on a card or a further moment that selects it.
export function box(hit) {
  const input = make("input", {
    type: "checkbox",
    checked: has(hit),
    value: keyOf(hit),
    title: "Select (x)",
    set: { "aria-label": `Select ${hit.name} at ${clock(hit.start)}` },
    on: { change: () => choose(hit, input.checked) },
  });
  return make("label", { className: "choose" }, [input]);
}

function choose(hit, isChosen) {
  const { video_id, start, end } = hit;
  if (isChosen) chosen.set(keyOf(hit), { video_id, start, end });
  else chosen.delete(keyOf(hit));
  for (const input of document.querySelectorAll(".choose input")) input.checked = chosen.has(input.value);
  show();
}

function clear() {
  chosen.clear();
  for (const input of document.querySelectorAll(".choose input")) input.checked = false;
  show();
}

function show(outcome = "") {
  bar.hidden = !chosen.size && !running;
  say(outcome ? `${count()}. ${outcome}` : count());
  for (const button of bar.querySelectorAll("[data-format]")) button.disabled = Boolean(running) || !chosen.size;
  byId("selection-stop").hidden = !running;
  byId("selection-clear").hidden = Boolean(running);
}

const count = () => `${plural(chosen.size, "moment")} selected`;
const say = (text) => (byId("selection-text").textContent = text);

async function save(format, title) {
  running = new AbortController();
  show();
  const making = MAKING[format] ?? "Writing the list";
  say(`${making}…`);
  let outcome = "";
  try {
    const wanted = { format, title, moments: [...chosen.values()] };
    const { name, failed } = await saveMoments(wanted, { signal: running.signal, progress: (size) => say(`${making}… ${size} MB`) });
    const lost = failed.join("; ");
    outcome = lost ? `Saved ${name} without ${lost}` : `Saved ${name}`;
  } catch (error) {
    outcome = error.name === "AbortError" ? "Stopped" : error.message;
  }
  running = null;
  show(outcome);
}
