// Notices in place of results: an empty library, nothing found, an error.

import { byId, make, plural, sentence } from "./format.js";

const AGAIN_AFTER = 4000; // ms between attempts to reach a server that is gone

let timer = 0;

export function show(title, ...rest) {
  clearTimeout(timer);
  byId("notice").hidden = false;
  byId("notice").dataset.shown = "";
  byId("notice").replaceChildren(make("h2", { text: title }), ...rest);
}

export function hide() {
  clearTimeout(timer);
  byId("notice").hidden = true;
}

// Looks again by itself, so that a library that is being filled appears. `roots` are folders that can be indexed from
// here, with `index`.
export function emptyLibrary({ command = "centerclip index ~/Videos", roots = [], failed = 0, index, again }) {
  const here = roots.length > 0;
  const shown = [command, failed].join(" ");
  if (!byId("notice").hidden && byId("notice").dataset.shown === shown) {
    timer = setTimeout(again, AGAIN_AFTER); // and the focus stays where it is
    return;
  }
  show(
    "This library is empty",
    ...(here ? [make("button", { type: "button", text: "Look for new videos", on: { click: index } })] : []),
    make("p", { text: `${here ? "Or index" : "Index"} a folder of videos in a terminal. They appear here one by one:` }),
    make("pre", { text: command, tabIndex: 0 }),
    ...(failed ? [make("p", { text: `${plural(failed, "file")} can't be read. Library says why.` })] : []),
  );
  byId("notice").dataset.shown = shown;
  timer = setTimeout(again, AGAIN_AFTER);
}

export function nothing({ filtered, searching, clearFilters }) {
  show(
    searching ? "No moments found" : "No videos found",
    make("p", { text: filtered ? `No ${searching ? "results" : "videos"} match these filters.` : "Try other words, or a picture." }),
    ...(filtered ? [make("button", { type: "button", text: "Clear filters", on: { click: clearFilters } })] : []),
  );
}

export function trouble(error, again) {
  const gone = error.code === "gone";
  const asked = error.status === 422; // trying the same query again is of no use
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  show(
    gone ? "No connection" : asked ? "This search isn't possible" : "Something went wrong",
    make("p", { text: sentence(error.message) + wait }),
    ...(asked ? [] : [make("button", { type: "button", text: "Try again", on: { click: () => again() } })]),
  );
  if (gone) timer = setTimeout(again, AGAIN_AFTER);
}
