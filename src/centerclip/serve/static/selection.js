// Moments that the visitor has selected, also from several searches, and the bar that lists and saves them. The browser's
// tab remembers them.

import * as api from "./api.js";
import { saveMoments } from "./downloads.js";
import { byId, clock, exact, make, nameOf, plural } from "./format.js";
import { keepInTab, recallInTab } from "./past.js";

const MAKING = { zip: "Cutting the clips", reel: "Cutting the reel" };
const LONGEST_TITLE = 200;
const UNDO_FOR = 10_000; // ms

const bar = byId("selection");
const list = byId("selection-list");
const keyOf = ({ video_id, start, end }) => [video_id, start.toFixed(2), end.toFixed(2)].join(" "); // as in an address

let chosen = new Map(); // key -> moment, in the order in which they were selected
let cleared = null; // what `chosen` was before it was cleared, as long as that can be undone
let expiry = 0; // the timer after which it can't
let running = null; // aborts the export that is being made
let open = null; // plays a moment

// `title()` names what is saved, and `open(moment)` plays one.
export function setUp({ title, ...actions }) {
  ({ open } = actions);
  for (const button of bar.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => save(button.dataset.format, title().slice(0, LONGEST_TITLE)));
  }
  byId("selection-show").addEventListener("click", () => expand(list.hidden));
  byId("selection-stop").addEventListener("click", () => running?.abort());
  byId("selection-clear").addEventListener("click", clear);
  byId("selection-undo").addEventListener("click", undo);
  const known = recallInTab("selection", []);
  chosen = new Map((Array.isArray(known) ? known : []).filter(isMoment).map((moment) => [keyOf(moment), moment]));
  changed();
}

const isMoment = (one) => typeof one?.video_id === "string" && one.start < one.end;

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
  if (isChosen) chosen.set(keyOf(hit), { video_id, start, end, name: nameOf(hit) });
  else chosen.delete(keyOf(hit));
  forget();
  changed();
}

function clear() {
  cleared = chosen;
  chosen = new Map();
  clearTimeout(expiry);
  expiry = setTimeout(() => (forget(), show()), UNDO_FOR);
  changed();
  byId("selection-undo").focus();
}

function undo() {
  chosen = cleared;
  forget();
  changed();
  byId("selection-show").focus();
}

function forget() {
  clearTimeout(expiry);
  cleared = null;
}

function changed() {
  keepInTab("selection", [...chosen.values()]);
  for (const input of document.querySelectorAll(".choose input")) input.checked = chosen.has(input.value);
  list.replaceChildren(...[...chosen.values()].map(item));
  if (!chosen.size) expand(false);
  show();
}

function expand(wanted) {
  list.hidden = !wanted;
  byId("selection-show").setAttribute("aria-expanded", String(wanted));
}

function item(moment) {
  const { video_id, start, end, name } = moment;
  const span = `${exact(start)} – ${exact(end)}`;
  const play = make("button", { type: "button", className: "quiet", title: `Play ${name}`, on: { click: () => open(moment) } }, [
    make("img", { src: api.thumbnail(video_id, start), alt: "", loading: "lazy" }),
    make("span", { className: "name", dir: "auto", text: name.split("/").at(-1) }),
    make("span", { className: "soft", text: span }),
  ]);
  const remove = make("button", {
    type: "button",
    className: "quiet small",
    text: "Remove",
    set: { "aria-label": `Remove ${name}, ${span}` },
    on: { click: () => takeOut(moment) },
  });
  return make("li", {}, [play, remove]);
}

function takeOut(moment) {
  const at = [...chosen.keys()].indexOf(keyOf(moment));
  choose(moment, false);
  const next = list.children[Math.min(at, list.childElementCount - 1)];
  next?.querySelector("button:last-child").focus(); // the button that had the focus is gone
}

function show(outcome = "") {
  const busy = Boolean(running);
  bar.hidden = !chosen.size && !busy && !cleared;
  say([cleared ? "Selection cleared" : count(), outcome].filter(Boolean).join(". "));
  byId("selection-undo").hidden = !cleared;
  for (const button of bar.querySelectorAll("[data-format]")) {
    button.hidden = Boolean(cleared);
    button.disabled = busy;
  }
  byId("selection-stop").hidden = !busy;
  byId("selection-show").hidden = byId("selection-clear").hidden = busy || Boolean(cleared);
  for (const button of list.querySelectorAll("button:last-child")) button.disabled = busy;
}

const count = () => `${plural(chosen.size, "moment")} selected`;
const say = (text) => (byId("selection-text").textContent = text);

async function save(format, title) {
  running = new AbortController();
  const moments = [...chosen.values()];
  show();
  const making = MAKING[format] ?? "Writing the list";
  say(`${making}…`);
  let outcome = "";
  try {
    const wanted = { format, title, moments: moments.map(({ video_id, start, end }) => ({ video_id, start, end })) };
    const { name, failed } = await saveMoments(wanted, { signal: running.signal, progress: (size) => say(`${making}… ${size} MB`) });
    const lost = failed.join("; ");
    outcome = lost ? `Saved ${name} without ${lost}` : `Saved ${name}`;
  } catch (error) {
    outcome = error.name === "AbortError" ? "Stopped" : `Not saved: ${reason(error, moments)}`;
  }
  running = null;
  show(outcome);
}

// The server knows moments by ids, and by their place in the list.
function reason(error, moments) {
  const gone = error.status === 404 && moments.find(({ video_id }) => error.message.includes(video_id));
  return gone ? `${gone.name} isn't in the library any more. Remove it from the selection.` : error.message;
}
