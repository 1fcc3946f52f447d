// The form of filters, and the order beside it: what they show, and what is wrong with it in words that people use.

import { FILTERS, narrowing } from "./address.js";
import { byId, make } from "./format.js";

const form = byId("filter-form");
const order = byId("sort");
const field = (name) => form.elements[name];

export function setUp(changed) {
  form.addEventListener("change", () => valid() && changed(values()));
  order.addEventListener("change", () => changed({ sort: order.value }));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => valid() && changed(values()))); // after the fields have been emptied
}

export const clear = () => form.reset();

export function show(view, { searching }) {
  for (const name of FILTERS) field(name).value = view[name];
  order.value = view.sort;
  order.options[0].text = searching ? "best first" : "by name";
  byId("per-video").hidden = !searching;
  const count = narrowing(view).length;
  byId("filter-count").hidden = !count;
  byId("filter-count").textContent = String(count);
}

export function showFolders(folders) {
  const option = (value, text) => make("option", { value, text });
  const chosen = field("folder").value;
  field("folder").replaceChildren(option("", "all"), ...folders.map((name) => option(name, name)));
  field("folder").value = folders.includes(chosen) ? chosen : "";
}

const values = () => Object.fromEntries(FILTERS.map((name) => [name, field(name).value]));

function valid() {
  const { min_duration: shortest, max_duration: longest, after, before } = form.elements;
  const wrong = (input, text) => input.setCustomValidity(text);
  wrong(shortest, shortest.validity.badInput || shortest.value < 0 ? "Give a number of seconds, such as 90." : "");
  wrong(longest, longest.validity.badInput || longest.value < 0 ? "Give a number of seconds, such as 90." : "");
  if (longest.value && shortest.value && Number(longest.value) < Number(shortest.value)) {
    wrong(longest, `No video is longer than ${shortest.value} and shorter than ${longest.value} seconds.`);
  }
  const late = after.value && before.value && before.value < after.value;
  wrong(before, late ? "This day is before the first one." : "");
  return form.reportValidity();
}
