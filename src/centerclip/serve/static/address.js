// Keeps the current view in the page's address, so that queries can be shared and the back button works. A picture
// can't be part of an address; the history entry refers to it while the page is open.

export const FILTERS = ["folder", "min_duration", "max_duration", "after", "before", "per_video"];
const NAMES = ["q", "like", "start", ...FILTERS];
const DEFAULTS = { per_video: "3" };

const files = [];

export function read() {
  const given = new URLSearchParams(location.search);
  const view = Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? DEFAULTS[name] ?? ""]));
  return { ...view, file: files[history.state?.file] ?? null };
}

export function write(view) {
  const given = NAMES.filter((name) => view[name] && view[name] !== DEFAULTS[name]).map((name) => [name, view[name]]);
  const text = new URLSearchParams(given).toString();
  const url = text ? `/?${text}` : "/";
  if (view.file && !files.includes(view.file)) files.push(view.file);
  const place = view.file ? files.indexOf(view.file) : null;
  if (url === location.pathname + location.search && place === (history.state?.file ?? null)) return;
  history.pushState(place === null ? null : { file: place }, "", url);
}

// The filters that narrow the search; the number of moments per video doesn't.
export const narrowing = (view) => FILTERS.filter((name) => name !== "per_video" && view[name]);
