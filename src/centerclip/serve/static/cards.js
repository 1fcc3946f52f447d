// One card per video: its best moment, a preview while it is pointed at, and its other moments folded below.

import { clock, draw, length, make, plural, span } from "./format.js";

const PREVIEW_AFTER = 250; // ms, so that a passing pointer starts nothing
const SIMILAR = "M4 5h9v9H4zM17 10h3v10H10v-3"; // two frames, one behind the other

// `act` has the actions on a hit: open(hit) and like(hit).
export function card(hits, act) {
  const [best, ...others] = hits;
  const whole = best.strength == null; // a video of the library, not a search result
  const button = make(
    "button",
    {
      type: "button",
      className: "open",
      on: { click: () => act.open(best) },
      set: { "aria-label": whole ? `Play ${best.name}` : `Play ${best.name} from ${clock(best.start)} to ${clock(best.end)}` },
    },
    [
      make("img", { src: best.thumbnail, alt: "", loading: "lazy", decoding: "async" }),
      make("span", { className: "span", text: whole ? clock(best.duration) : span(best) }),
      ...(whole ? [] : [strength(best)]),
    ],
  );
  preview(button, best);
  const item = make("li", { className: "card" }, [button, about(best, act)]);
  if (others.length) item.append(...folded(others, act));
  return item;
}

function about(hit, act) {
  const place = [hit.folder, length(hit.duration)].filter(Boolean).join(" · ");
  return make("div", { className: "about" }, [
    make("div", {}, [
      make("p", { className: "name", text: hit.name, title: hit.name }),
      make("p", { className: "folder", text: place }),
    ]),
    make(
      "button",
      {
        type: "button",
        className: "quiet round",
        title: "More like this",
        set: { "aria-label": `More like this: ${hit.name} at ${clock(hit.start)}` },
        on: { click: () => act.like(hit) },
      },
      [draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, [draw("path", { d: SIMILAR })])],
    ),
  ]);
}

function strength(hit) {
  const percent = Math.round(100 * Math.min(1, Math.max(0, hit.strength)));
  const bar = make("i");
  bar.style.setProperty("--part", `${percent}%`);
  return make("span", { className: "strength", title: `Relative strength ${percent}%, cosine ${hit.score.toFixed(3)}` }, [bar]);
}

function folded(hits, act) {
  const list = make("div", { className: "others", hidden: true }, hits.map((hit) =>
    make("button", {
      type: "button",
      className: "quiet",
      text: span(hit),
      set: { "aria-label": `Play ${hit.name} from ${clock(hit.start)} to ${clock(hit.end)}` },
      on: { click: () => act.open(hit) },
    })));
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

// Loops a hit's moment. If browsers can't play the file, an excerpt with just the moment takes its place.
function loopMoment(video, hit) {
  const from = hit.playable ? hit.start : 0;
  const until = hit.playable ? hit.end : hit.end - hit.start;
  const again = () => {
    video.currentTime = from;
    video.play().catch(() => {}); // if playing is refused, the preview stays a still picture
  };
  video.src = hit.playable ? hit.media : hit.excerpt;
  video.addEventListener("loadedmetadata", again);
  video.addEventListener("ended", again);
  video.addEventListener("timeupdate", () => video.currentTime >= until && again());
}
