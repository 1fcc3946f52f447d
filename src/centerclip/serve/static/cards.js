// One card per video: its best moment, a preview while it is pointed at, and its other moments folded below.

import * as api from "./api.js";
import { day } from "./dates.js";
import { clock, draw, length, make, plural, span } from "./format.js";
import { plays } from "./formats.js";
import * as reasons from "./reasons.js";
import * as selection from "./selection.js";

const PREVIEW_AFTER = 250; // ms, so that a passing pointer starts nothing
const SIMILAR = "M4 5h9v9H4zM17 10h3v10H10v-3"; // two frames, one behind the other

// `act` has the actions on a hit, open(hit) and like(hit), and heard(): whether words are known in the library.
export function card(hits, act) {
  const [best, ...others] = hits;
  const whole = best.strength == null; // a video of the library, not a search result
  const label = whole ? `Play ${best.name}` : `Play ${best.name} from ${clock(best.start)} to ${clock(best.end)}`;
  const item = make("li", { className: best.missing ? "card missing" : "card" }, [picture(best, label, act), selection.box(best), about(best, act)]);
  if (others.length) item.append(...folded(others, act));
  return item;
}

// The button with a hit's picture, time and strength.
function picture(hit, label, act) {
  const whole = hit.strength == null;
  const button = make("button", { type: "button", className: "open", on: { click: () => act.open(hit) }, set: { "aria-label": label } }, [
    make("img", { src: api.at(hit.thumbnail), alt: "", loading: "lazy", decoding: "async" }),
    make("span", { className: "span", text: whole ? clock(hit.duration) : span(hit) }),
    ...mark(hit),
  ]);
  if (!hit.missing) preview(button, hit);
  return button;
}

function about(hit, act) {
  return make("div", { className: "about" }, [
    make("div", {}, [
      make("p", { className: "name", dir: "auto", text: hit.name, title: hit.name }),
      make("p", { className: "soft facts" }, facts(hit, act).flatMap((fact, place) => [place ? " · " : "", make("bdi", { text: fact })])),
      ...reasons.line(hit),
      ...hit.copies.map((name) => make("p", { className: "soft copy", title: name }, ["also ", make("bdi", { text: name })])),
    ]),
    ...actions(hit, act),
  ]);
}

// What a card says about its file. Where nobody speaks in the whole library, all hits are seen.
const facts = (hit, act) => [hit.folder, length(hit.duration), day(hit), act.heard() && onlySeen(hit) && "seen"].filter(Boolean);
const onlySeen = ({ reasons: why = [] }) => why.includes("seen") && why.length === 1;

// The buttons beside it.
function actions(hit, act) {
  const icon = draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, [draw("path", { d: SIMILAR })]);
  const like = make("button", {
    type: "button",
    className: "quiet round",
    title: "More like this",
    set: { "aria-label": `More like this: ${hit.name} at ${clock(hit.start)}` },
    on: { click: () => act.like(hit) },
  }, [icon]);
  return [like];
}

function mark(hit) {
  if (hit.missing) return [make("span", { className: "gone", text: "file missing", title: "Moved, deleted, or on a disk that isn't connected" })];
  return hit.strength == null ? [] : strength(hit);
}

// A weak match gets a word instead of a bar, whose length is relative to the best hit, however weak that is.
function strength(hit) {
  if (hit.weak) return [make("span", { className: "weak", text: "weak match", title: `Ordinary sentences have better hits in this library (${measure(hit)})` })];
  const percent = Math.round(100 * Math.min(1, Math.max(0, hit.strength)));
  const bar = make("i");
  bar.style.setProperty("--part", `${percent}%`);
  return [make("span", { className: "strength", title: `Relative strength ${percent}%, ${measure(hit)}` }, [bar])];
}

// A score is a cosine, unless the hit was found by its words alone.
const measure = ({ reasons: why, score }) => `${why.includes("seen") ? "cosine" : "BM25"} ${score.toFixed(3)}`;

function folded(hits, act) {
  const list = make("div", { className: "others", hidden: true }, hits.map((hit) =>
    make("div", { className: "cell" }, [
      picture(hit, `Play ${hit.name} from ${clock(hit.start)} to ${clock(hit.end)}`, act),
      selection.box(hit),
      ...reasons.line(hit),
    ])));
  const toggle = make("button", {
    type: "button",
    className: "folded",
    text: `${plural(hits.length, "more moment")} in this video`,
    set: { "aria-expanded": "false" },
    on: {
      click: () => {
        list.hidden = !list.hidden;
        toggle.setAttribute("aria-expanded", String(!list.hidden));
      },
    },
  });
  return [toggle, list];
}

function preview(button, hit) {
  let timer = 0;
  let video = null;
  const stop = () => {
    clearTimeout(timer);
    video?.removeAttribute("src");
    video?.load();
    video?.remove();
    video = null;
  };
  const start = () => {
    stop();
    timer = setTimeout(() => {
      video = make("video", { muted: true, playsInline: true, disablePictureInPicture: true, tabIndex: -1, set: { "aria-hidden": "true" } });
      loopMoment(video, hit);
      button.querySelector("img").after(video);
    }, PREVIEW_AFTER);
  };
  button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && start());
  button.addEventListener("pointerleave", stop);
  button.addEventListener("focus", () => button.matches(":focus-visible") && start());
  button.addEventListener("blur", stop);
  button.addEventListener("click", stop);
}

// Loops a hit's moment. If this browser can't play the file, an excerpt with just the moment takes its place.
function loopMoment(video, hit) {
  const direct = plays(hit);
  const from = direct ? hit.start : 0;
  const until = direct ? hit.end : hit.end - hit.start;
  const again = () => {
    video.currentTime = from;
    video.play().catch(() => {}); // if playing is refused, the preview stays a still picture
  };
  video.src = api.at(direct ? hit.media : hit.excerpt);
  video.addEventListener("loadedmetadata", again);
  video.addEventListener("ended", again);
  video.addEventListener("timeupdate", () => video.currentTime >= until && again());
}
