// The player: jumps to a moment and loops it, and shows the query's scores along the video under the picture. If
// browsers can't play the file, it plays excerpts that the server makes.

import * as api from "./api.js";
import { byId, clock, make, span } from "./format.js";
import { drawTimeline, markCurrent } from "./timeline.js";

const EXCERPT_SECONDS = 12; // of an excerpt outside the moment
const NEAR = 0.05; // seconds within which two moments count as the same

const dialog = byId("player");
const video = byId("video");
const scrub = byId("scrub");
const chart = byId("curve");

let hit = null; // the hit that is playing
let moments = []; // of the video, in time order
let offset = 0; // where in the file `video` begins, in seconds: 0, or the start of an excerpt
let request = null; // for the curve

export function setUp({ like }) {
  byId("close").addEventListener("click", close);
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", clear);
  dialog.addEventListener("keydown", keys);
  byId("like").addEventListener("click", () => {
    const wanted = { ...hit, window_start: hit.start };
    close();
    like(wanted);
  });
  byId("tokens").addEventListener("click", toggleTokens);
  byId("tokens-image").addEventListener("error", () => note("Can't show what the model kept."));
  byId("play").addEventListener("click", playOrPause);
  byId("mute").addEventListener("click", () => (video.muted = !video.muted));
  byId("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : byId("screen").requestFullscreen()));
  scrub.addEventListener("input", () => seek(Number(scrub.value), { leave: true }));
  video.addEventListener("click", playOrPause);
  video.addEventListener("timeupdate", tick);
  video.addEventListener("ended", goOn);
  video.addEventListener("error", () => video.hasAttribute("src") && failed());
  for (const name of ["play", "pause", "volumechange"]) video.addEventListener(name, showState);
}

// `values` is the query for the curve, or null if there is none.
export async function open(chosen, values) {
  clear();
  hit = { ...chosen };
  moments = [{ start: hit.start, end: hit.end }];
  byId("player-title").textContent = hit.folder ? `${hit.folder}/${hit.name}` : hit.name;
  scrub.max = String(hit.duration);
  byId("loop").checked = true;
  chart.classList.toggle("empty", !values);
  dialog.showModal();
  byId("play").focus();
  seek(hit.start);
  showMoments(null);
  if (!values) return;
  request = new AbortController();
  try {
    const found = await api.curve(hit.video_id, values, request.signal);
    const known = found.moments.some((moment) => Math.abs(moment.start - hit.start) < NEAR);
    moments = [...found.moments, ...(known ? [] : moments)].sort((one, other) => one.start - other.start);
    showMoments(found);
  } catch (error) {
    if (error.name !== "AbortError") note(error.message);
  }
}

export const close = () => dialog.close();

function clear() {
  request?.abort();
  video.pause();
  video.removeAttribute("src");
  video.load();
  showTokens(false);
  note("");
}

// Jumps to a second of the file. With `leave`, playback may continue outside the moment.
function seek(seconds, { leave = false } = {}) {
  if (leave && !inside(seconds)) byId("loop").checked = false;
  if (hit.playable) load(hit.media, 0);
  else if (!video.hasAttribute("src") || seconds < offset || seconds >= offset + (video.duration || 0)) loadExcerpt(seconds);
  const arrive = () => {
    video.currentTime = Math.max(0, seconds - offset);
    video.play().catch(() => {}); // if autoplay is refused, there is the button
  };
  if (video.readyState >= 1) arrive();
  else video.addEventListener("loadedmetadata", arrive, { once: true });
}

function loadExcerpt(seconds) {
  const [start, end] = inside(seconds) ? [hit.start, hit.end] : [seconds, Math.min(hit.duration, seconds + EXCERPT_SECONDS)];
  load(api.excerpt(hit.video_id, start, end), start);
  note("Converted, because browsers can't play this format");
}

function load(source, begins) {
  if (video.getAttribute("src") === source) return;
  offset = begins;
  video.src = source;
}

const inside = (seconds) => seconds >= hit.start - NEAR && seconds < hit.end;

function tick() {
  if (!hit || !dialog.open || !video.readyState) return;
  const now = offset + video.currentTime;
  if (byId("loop").checked && now >= hit.end) {
    seek(hit.start);
    return;
  }
  scrub.value = String(now);
  scrub.setAttribute("aria-valuetext", `${clock(now)} of ${clock(hit.duration)}`);
  byId("player-time").textContent = `${clock(now)} / ${clock(hit.duration)}`;
}

// At the end of the file, or of an excerpt.
function goOn() {
  const now = offset + video.duration;
  if (byId("loop").checked) seek(hit.start);
  else if (!hit.playable && now < hit.duration - 0.2) seek(now);
}

function playOrPause() {
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

function showState() {
  dialog.classList.toggle("paused", video.paused);
  dialog.classList.toggle("muted", video.muted);
  byId("play").setAttribute("aria-label", video.paused ? "Play" : "Pause");
  byId("mute").setAttribute("aria-pressed", String(video.muted));
}

function jump(moment) {
  if (!moment) return;
  hit = { ...hit, start: moment.start, end: moment.end };
  byId("loop").checked = true;
  showTokens(false);
  mark();
  seek(hit.start);
}

const place = () => moments.findIndex((moment) => Math.abs(moment.start - hit.start) < NEAR);

function keys(event) {
  const pressed = event.target.matches("button, input") && event.key === " ";
  if (pressed || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = {
    " ": playOrPause,
    n: () => jump(moments[place() + 1]),
    p: () => jump(moments[place() - 1]),
    l: () => byId("loop").click(),
    m: () => byId("mute").click(),
    f: () => byId("full").click(),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function showMoments(curve) {
  drawTimeline(chart, { duration: hit.duration, moments: curve ? moments : [], curve });
  byId("moments").hidden = moments.length < 2;
  byId("moments").replaceChildren(...moments.map((moment) =>
    make("button", { type: "button", className: "quiet", text: span(moment), set: { "aria-label": `Moment ${span(moment)}` }, on: { click: () => jump(moment) } })));
  mark();
}

function mark() {
  const at = place();
  markCurrent(chart, moments[at]?.start);
  for (const [number, button] of [...byId("moments").children].entries()) button.setAttribute("aria-pressed", String(number === at));
}

const toggleTokens = () => showTokens(byId("tokens-view").hidden);

function showTokens(shown) {
  byId("tokens-view").hidden = !shown;
  byId("tokens").setAttribute("aria-expanded", String(shown));
  if (!shown) return;
  const picture = byId("tokens-image");
  picture.alt = `Frames around ${clock(hit.start)}, with the patches that the model dropped dimmed`;
  picture.src = api.tokensPicture(hit.video_id, hit.start);
  picture.addEventListener("load", () => byId("tokens-view").scrollIntoView({ block: "nearest" }), { once: true });
}

// If this browser lacks the codec after all, it gets excerpts.
function failed() {
  if (!hit.playable) {
    note("Can't play this video: it may have been moved or changed after it was indexed.");
    return;
  }
  hit.playable = false;
  video.removeAttribute("src");
  seek(hit.start);
}

function note(text) {
  byId("player-note").textContent = text;
  byId("player-note").hidden = !text;
}
