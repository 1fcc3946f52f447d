// What is looked at, as the page's address: a query can be shared, and the back button works.

export const FILTERS = ["folder", "min_duration", "max_duration", "after", "before", "per_video"];
const NAMES = ["q", "like", "start", ...FILTERS];
const DEFAULTS = { per_video: "3" };

export function read() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? DEFAULTS[name] ?? ""]));
}

export function write(view, { replace = false } = {}) {
  const given = NAMES.filter((name) => view[name] && view[name] !== DEFAULTS[name]).map((name) => [name, view[name]]);
  const text = new URLSearchParams(given).toString();
  const url = text ? `/?${text}` : "/";
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
}
