// The player: jumps to a moment and loops it, with the query's score along the video under the picture.

import * as api from "./api.js";
import { byId, clock } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const CLIP_SECONDS = 12; // of a file that browsers can't play, fetched at a time

const dialog = byId("player");
const video = byId("video");
const scrub = byId("scrub");
const chart = byId("curve");

let hit = null; // what is played
let moments = []; // all of the video's, in time order
let offset = 0; // seconds of the file at which `video` begins: 0, or the start of a clip
let head = null;
let asked = null; // the request for the curve

export function setUp({ like }) {
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", clear);
  byId("like").addEventListener("click", () => {
    const wanted = hit;
    dialog.close();
    like(wanted);
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("tokens").addEventListener("click", showTokens);
  scrub.addEventListener("input", () => seek(Number(scrub.value), { leave: true }));
  video.addEventListener("timeupdate", tick);
  video.addEventListener("ended", () => byId("loop").checked && seek(hit.start));
  video.addEventListener("error", () => video.hasAttribute("src") && failed());
  dialog.addEventListener("keydown", keys);
}

export async function open(chosen, values) {
  clear();
  hit = chosen;
  moments = [{ start: hit.start, end: hit.end }];
  byId("player-title").textContent = hit.folder ? `${hit.folder}/${hit.name}` : hit.name;
  scrub.max = String(hit.duration);
  byId("loop").checked = true;
  dialog.showModal();
  seek(hit.start);
  draw(null);
  asked = new AbortController();
  try {
    const found = await api.curve(hit.video_id, values, asked.signal);
    const known = found.moments.some((moment) => Math.abs(moment.start - hit.start) < 0.05);
    moments = [...found.moments, ...(known ? [] : [{ start: hit.start, end: hit.end }])];
    moments.sort((one, other) => one.start - other.start);
    draw(found);
  } catch (error) {
    if (error.name !== "AbortError") note(error.message);
  }
}

function clear() {
  asked?.abort();
  video.pause();
  video.removeAttribute("src");
  video.load();
  byId("tokens-view").hidden = true;
  byId("tokens").setAttribute("aria-expanded", "false");
  note("");
}

// Goes to a second of the file. With `leave`, playing goes on beyond the moment.
function seek(seconds, { leave = false } = {}) {
  if (leave) byId("loop").checked = inside(seconds);
  if (hit.playable) {
    load(hit.media, 0);
  } else if (!video.hasAttribute("src") || seconds < offset || seconds >= offset + (video.duration || 0)) {
    const end = inside(seconds) ? hit.end : Math.min(hit.duration, seconds + CLIP_SECONDS);
    const start = inside(seconds) ? hit.start : seconds;
    load(`/clips/${encodeURIComponent(hit.video_id)}?start=${start.toFixed(2)}&end=${end.toFixed(2)}`, start);
    note("Converted on the fly: browsers can't play this format.");
  }
  const go = () => {
    video.currentTime = Math.max(0, seconds - offset);
    video.play().catch(() => {}); // where autoplay is refused the controls are there
  };
  if (video.readyState >= 1) go();
  else video.addEventListener("loadedmetadata", go, { once: true });
}

function load(source, begins) {
  offset = begins;
  if (video.getAttribute("src") !== source) video.src = source;
}

const inside = (seconds) => seconds >= hit.start - 0.05 && seconds < hit.end;

function tick() {
  if (!hit || !dialog.open) return;
  const now = offset + video.currentTime;
  if (byId("loop").checked && now >= hit.end) return seek(hit.start);
  if (document.activeElement !== scrub || !video.paused) scrub.value = String(now);
  scrub.setAttribute("aria-valuetext", clock(now));
  byId("player-time").textContent = `${clock(now)} / ${clock(hit.duration)}`;
  const x = String((1000 * now) / hit.duration);
  head?.setAttribute("x1", x);
  head?.setAttribute("x2", x);
  return undefined;
}

function step(direction) {
  const at = moments.findIndex((moment) => Math.abs(moment.start - hit.start) < 0.05);
  const other = moments[at + direction];
  if (!other) return;
  hit = { ...hit, start: other.start, end: other.end, window_start: other.start, window_end: other.end };
  byId("loop").checked = true;
  byId("tokens-view").hidden = true;
  byId("tokens").setAttribute("aria-expanded", "false");
  seek(hit.start);
  mark();
}

function keys(event) {
  if (event.target.matches("input, video, button") && event.key === " ") return;
  const act = {
    " ": () => (video.paused ? video.play() : video.pause()),
    n: () => step(1),
    p: () => step(-1),
    l: () => byId("loop").click(),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Draws the score of every segment over time, scaled to the video's own lowest and highest.
function draw(found) {
  const x = (seconds) => ((1000 * seconds) / hit.duration).toFixed(1);
  const parts = moments.map((moment) =>
    shape("rect", { class: "moment", x: x(moment.start), width: x(moment.end - moment.start), y: 0, height: 70, "data-start": moment.start }));
  if (found?.scores.length) {
    const low = Math.min(...found.scores);
    const range = Math.max(...found.scores) - low || 1;
    const y = (score) => (62 - (52 * (score - low)) / range).toFixed(1);
    const steps = found.times.map(([start, end], place) => `${x(start)},${y(found.scores[place])} ${x(end)},${y(found.scores[place])}`).join(" ");
    parts.push(shape("polygon", { class: "area", points: `0,70 ${steps} 1000,70` }), shape("polyline", { class: "line", points: steps }));
  }
  head = shape("line", { class: "head", x1: x(hit.start), x2: x(hit.start), y1: 0, y2: 70 });
  chart.replaceChildren(...parts, head);
  mark();
}

function mark() {
  for (const rect of chart.querySelectorAll(".moment")) {
    rect.classList.toggle("current", Math.abs(Number(rect.dataset.start) - hit.start) < 0.05);
  }
  const at = moments.findIndex((moment) => Math.abs(moment.start - hit.start) < 0.05);
  byId("previous").disabled = at <= 0;
  byId("next").disabled = at < 0 || at >= moments.length - 1;
}

function showTokens() {
  const view = byId("tokens-view");
  view.hidden = !view.hidden;
  byId("tokens").setAttribute("aria-expanded", String(!view.hidden));
  if (view.hidden) return;
  const picture = byId("tokens-image");
  picture.alt = `Frames from ${clock(hit.window_start)} to ${clock(hit.window_end)} with the dropped patches dimmed`;
  picture.src = api.tokensPicture(hit);
  picture.onerror = () => note("The picture of the tokens could not be made.");
}

function failed() {
  note("This part of the video can't be played here.");
}

function note(text) {
  const place = byId("player-note");
  place.textContent = text;
  place.hidden = !text;
}

