// Notices in place of results: an empty library, nothing found, an error.

import { byId, make } from "./format.js";

const AGAIN_AFTER = 4000; // ms between attempts to reach a server that is gone

let timer = 0;

export function show(title, ...rest) {
  clearTimeout(timer);
  byId("notice").hidden = false;
  byId("notice").replaceChildren(make("h2", { text: title }), ...rest);
}

export function hide() {
  clearTimeout(timer);
  byId("notice").hidden = true;
}

// Looks again by itself, so that a library that is being filled appears. `roots` are folders that can be indexed from
// here, with `index`.
export function emptyLibrary({ command = "centerclip index ~/Videos", roots = [], index, again }) {
  const here = roots.length > 0;
  if (!byId("notice").hidden && byId("notice").querySelector("pre")?.textContent === command) {
    timer = setTimeout(again, AGAIN_AFTER); // and the focus stays where it is
    return;
  }
  show(
    "This library is empty",
    ...(here ? [make("button", { type: "button", text: "Look for new videos", on: { click: index } })] : []),
    make("p", { text: `${here ? "Or index" : "Index"} a folder of videos in a terminal. They appear here one by one:` }),
    make("pre", { text: command, tabIndex: 0 }),
  );
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
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  show(
    gone ? "No connection" : "Something went wrong",
    make("p", { text: error.message + wait }),
    make("button", { type: "button", text: "Try again", on: { click: () => again() } }),
  );
  if (gone) timer = setTimeout(again, AGAIN_AFTER);
}
