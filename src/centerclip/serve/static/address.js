// Keeps the current view in the page's address, so that queries and moments can be shared and the back button works. A
// picture can't be part of an address; the history entry refers to it while the page is open. An entry also remembers
// how far the page was scrolled.

export const FILTERS = ["folder", "min_duration", "max_duration", "after", "before", "per_video"];
const SEARCH = ["q", "like", "start", "sort", ...FILTERS];
const DEFAULTS = { per_video: "3" };
const MOMENT = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/;

const files = [];
let leaving = null; // is resolved when the browser has gone back

// The view: the search's fields, `file` (the picture or video to search with), and `moment`, which the player shows.
export function read() {
  const given = new URLSearchParams(location.search);
  const view = Object.fromEntries(SEARCH.map((name) => [name, given.get(name) ?? DEFAULTS[name] ?? ""]));
  const [, start, end] = MOMENT.exec(given.get("at") ?? "") ?? [];
  const moment = given.get("video") ? { video_id: given.get("video"), start: Number(start ?? 0), end: Number(end ?? 0) } : null;
  return { ...view, file: files[history.state?.file] ?? null, moment };
}

export const sameSearch = (one, other) => one.file === other.file && SEARCH.every((name) => one[name] === other[name]);

// Adds an entry to the history, or with `replace` changes the current one.
export async function write(view, { replace = false } = {}) {
  if (leaving) await leaving;
  const pairs = SEARCH.filter((name) => view[name] && view[name] !== DEFAULTS[name]).map((name) => [name, view[name]]);
  if (view.moment) pairs.push(["video", view.moment.video_id], ["at", [view.moment.start, view.moment.end].map(short).join("-")]);
  const text = new URLSearchParams(pairs).toString();
  if (view.file && !files.includes(view.file)) files.push(view.file);
  const file = view.file ? files.indexOf(view.file) : null;
  const same = text === location.search.slice(1) && file === (history.state?.file ?? null);
  if (same) return;
  const url = text ? `?${text}` : location.pathname;
  if (replace) history.replaceState({ ...history.state, file }, "", url);
  else {
    keepScroll();
    history.pushState({ file, opened: Boolean(view.moment) }, "", url);
  }
}

// Goes back to the entry before. Browsers do that a little later; what is written meanwhile waits for it, or it would be
// undone.
export function leave() {
  leaving = new Promise((resolve) => {
    addEventListener("popstate", () => resolve((leaving = null)), { once: true });
  });
  history.back();
}

export const isLeaving = () => leaving !== null;

const short = (seconds) => String(Math.round(seconds * 100) / 100);

// Whether the current entry was made by opening the player, so that the one before it is the same page without.
export const wasOpened = () => Boolean(history.state?.opened);

export const keepScroll = () => history.replaceState({ ...history.state, y: scrollY }, "");
export const scrolled = () => history.state?.y ?? 0;

// The filters that narrow what is shown; the number of moments per video doesn't.
export const narrowing = (view) => FILTERS.filter((name) => name !== "per_video" && view[name]);
