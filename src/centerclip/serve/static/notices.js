// What stands in place of results: an empty library, nothing found, trouble.

import { byId, make } from "./format.js";

const AGAIN_AFTER = 4000; // ms: how often a server that is gone is looked for

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
    make("p", { text: "Index a folder of videos in a terminal. They appear here as they are done:" }),
    make("pre", { text: "centerclip index ~/Videos" }),
  );
  timer = setTimeout(again, AGAIN_AFTER);
}

export function nothing({ filtered, clearFilters }) {
  show(
    "No moment found",
    make("p", { text: filtered ? "The filters leave nothing over." : "Try other words; a picture works too." }),
    ...(filtered ? [make("button", { type: "button", text: "Clear the filters", on: { click: clearFilters } })] : []),
  );
}

export function trouble(error, again) {
  const gone = error.code === "gone";
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  show(
    gone ? "No connection" : "That did not work",
    make("p", { text: error.message + wait }),
    make("button", { type: "button", text: "Try again", on: { click: () => again() } }),
  );
  if (gone) timer = setTimeout(again, AGAIN_AFTER);
}
