// When videos were recorded: on cards, and as a row of months above the library; of years, if there are many months.

import * as api from "./api.js";
import { byId, make } from "./format.js";

const MOST_MONTHS = 12; // in one row

let months = []; // the newest first

// The day on which a file was recorded, by the clocks of the place if they are known, or else by those of the visitor.
// A file that doesn't say when it was recorded has only the time of its last change.
export function day({ recorded, recorded_source: source, recorded_zone: zone }) {
  const local = zone == null ? {} : { timeZone: "UTC" };
  const date = new Date(1000 * recorded + 60_000 * (zone ?? 0));
  if (Number.isNaN(date.getTime())) return "";
  const text = date.toLocaleDateString(undefined, { dateStyle: "medium", ...local }).replaceAll(" ", "\u00a0"); // on one line
  return source === "modified" ? `changed ${text}` : text;
}

export async function load() {
  months = await api.months().then((found) => found.months, () => []); // the library is of use without
}

// `choose` is called with the days of a month or year, or with none when the current one is chosen again.
export function show(view, { searching, choose }) {
  byId("months").hidden = searching || months.length < 2;
  const chip = (text, { after, before, videos }) => {
    const current = view.after === after && view.before === before;
    return make("button", {
      type: "button",
      className: "quiet small",
      set: { "aria-pressed": String(current) },
      on: { click: () => choose(current ? { after: "", before: "" } : { after, before }) },
    }, [text, " ", make("span", { className: "soft", text: String(videos) })]);
  };
  const row = (chips) => make("div", { className: "chips" }, chips);
  const chips = (some) => row(some.map((month) => chip(nameOf(month.month), month)));
  if (months.length <= MOST_MONTHS) return byId("months").replaceChildren(chips(months));
  const year = yearOf(view.after) === yearOf(view.before) ? yearOf(view.after) : "";
  const rows = [row(years().map((one) => chip(one.year, one))), chips(months.filter(({ month }) => yearOf(month) === year))];
  return byId("months").replaceChildren(...rows.filter((one) => one.childElementCount));
}

const yearOf = (day) => day.slice(0, 4);

function years() {
  const totals = new Map(); // the newest first, like the months
  for (const { month, videos } of months) totals.set(yearOf(month), (totals.get(yearOf(month)) ?? 0) + videos);
  return [...totals].map(([year, videos]) => ({ year, videos, after: `${year}-01-01`, before: `${year}-12-31` }));
}

function nameOf(month) {
  const [year, number] = month.split("-").map(Number);
  return new Date(year, number - 1).toLocaleDateString(undefined, { month: "short", year: "numeric" });
}
