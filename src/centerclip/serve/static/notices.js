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

// Looks again by itself, so that a library that is being filled appears.
export function emptyLibrary(again) {
  show(
    "This library is empty",
    make("p", { text: "Index a folder of videos in a terminal. They appear here one by one:" }),
    make("pre", { text: "centerclip index ~/Videos" }),
  );
  timer = setTimeout(again, AGAIN_AFTER);
}

export function nothing({ filtered, clearFilters }) {
  show(
    "No moments found",
    make("p", { text: filtered ? "No results match these filters." : "Try other words, or a picture." }),
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
