// One card a video: its best moment, a preview while pointed at, and its other moments folded below.

import { clock, make } from "./format.js";

const PREVIEW_AFTER = 250; // ms: a pointer that only passes starts nothing

export function card(hits, { open, like }) {
  const [best, ...others] = hits;
  const button = make(
    "button",
    {
      type: "button",
      className: "open",
      on: { click: () => open(best) },
      set: { "aria-label": `Play ${best.name} from ${clock(best.start)} to ${clock(best.end)}` },
    },
    [
      make("img", { src: best.thumbnail, alt: "", loading: "lazy", decoding: "async" }),
      make("span", { className: "span", text: `${clock(best.start)} – ${clock(best.end)}` }),
      strength(best),
    ],
  );
  preview(button, best);
  const about = make("div", { className: "about" }, [
    make("div", {}, [
      make("p", { className: "name", text: best.name, title: best.name }),
      make("p", { className: "folder", text: best.folder || " " }),
    ]),
    make("button", {
      type: "button",
      className: "quiet",
      text: "More like this",
      set: { "aria-label": `More like this: ${best.name} at ${clock(best.start)}` },
      on: { click: () => like(best) },
    }),
  ]);
  const item = make("li", { className: "card" }, [button, about]);
  if (others.length) item.append(...folded(others, open));
  return item;
}

function strength(hit) {
  const percent = Math.round(100 * Math.min(1, Math.max(0, hit.strength)));
  const bar = make("i");
  bar.style.setProperty("--part", `${percent}%`);
  return make("span", { className: "strength", title: `Relative strength ${percent} %, cosine ${hit.score.toFixed(3)}` }, [bar]);
}

function folded(hits, open) {
  const list = make("div", { className: "others", hidden: true }, hits.map((hit) =>
    make("button", {
      type: "button",
      className: "quiet",
      text: clock(hit.start),
      set: { "aria-label": `Play ${hit.name} from ${clock(hit.start)}` },
      on: { click: () => open(hit) },
    })));
  const words = `${hits.length} more in this video`;
  const toggle = make("button", {
    type: "button",
    className: "folded",
    text: words,
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
      video = make("video", { muted: true, playsInline: true, disablePictureInPicture: true, tabIndex: -1 });
      loopMoment(video, hit);
      button.querySelector("img").after(video);
    }, PREVIEW_AFTER);
  };
  button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && start());
  button.addEventListener("pointerleave", stop);
  button.addEventListener("click", stop);
}

// Plays a hit's moment over and over; a file that browsers can't play comes as a clip of just the moment.
function loopMoment(video, hit) {
  const from = hit.playable ? hit.start : 0;
  const until = hit.playable ? hit.end : hit.end - hit.start;
  video.src = hit.playable ? hit.media : hit.clip;
  video.addEventListener("loadedmetadata", () => {
    video.currentTime = from;
    video.play().catch(() => {}); // a preview that may not play stays a still picture
  });
  video.addEventListener("timeupdate", () => {
    if (video.currentTime >= until) video.currentTime = from;
  });
  video.addEventListener("ended", () => {
    video.currentTime = from;
    video.play().catch(() => {});
  });
}
