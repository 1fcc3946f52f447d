// The player: jumps to a moment and loops it, and shows the query's scores along the video under the picture.

import * as api from "./api.js";
import { saveClip } from "./downloads.js";
import { byId, clock, exact, make, nameOf, plural, span, timestamp } from "./format.js";
import * as playback from "./playback.js";
import { copy } from "./sharing.js";
import * as selection from "./selection.js";
import * as shuttle from "./shuttle.js";
import { drawTimeline, markCurrent } from "./timeline.js";
import * as words from "./words.js";

const NEAR = 0.05; // seconds within which two moments count as the same
const STEP = 1; // seconds per arrow key
const LONG_STEP = 5;
const BRIEF = 5000; // ms that a note stays

const dialog = byId("player");
const scrub = byId("scrub");
const chart = byId("curve");

let hit = null; // the hit that is playing
let moments = []; // of the video, in time order
let known = null; // the query's scores along the video
let request = null; // for them
let fading = 0; // the timer of a brief note
let act = null; // { like(hit), moved(hit), closed() }
let hiding = false;

export function setUp(actions) {
  act = actions;
  byId("close").addEventListener("click", close);
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", closed);
  addEventListener("keydown", (event) => dialog.open && keys(event));
  byId("like").addEventListener("click", () => act.like({ ...hit, window_start: hit.start }));
  byId("download").addEventListener("click", download);
  byId("select").addEventListener("click", select);
  offer("copy-link", () => location.href, "Link copied");
  offer("copy-path", () => hit.path || nameOf(hit), "Path copied");
  offer("copy-times", () => `${timestamp(hit.start)} – ${timestamp(hit.end)}`, "Start and end copied");
  byId("tokens").addEventListener("click", () => showTokens(byId("tokens-view").hidden));
  byId("tokens-image").addEventListener("error", () => note("Can't show what the model kept."));
  byId("play").addEventListener("click", playOrPause);
  byId("mute").addEventListener("click", () => playback.mute(!playback.muted()));
  byId("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : byId("screen").requestFullscreen()));
  byId("set-in").addEventListener("click", setIn);
  byId("set-out").addEventListener("click", setOut);
  scrub.addEventListener("input", () => go(Number(scrub.value)));
  byId("screen").addEventListener("click", playOrPause);
  shuttle.setUp((speed) => (byId("speed").textContent = speed && speed !== 1 ? `${speed}×`.replace("-", "−") : ""));
  words.setUp({ go: (seconds) => go(seconds), failed: note });
  playback.setUp({
    loops: () => byId("loop").checked,
    tick,
    state: showState,
    placed: words.place,
    silenced: () => note("Sound is off until you turn it on (m)", { brief: true }),
    converted: () => note("Converted, because this browser can't play the format", { brief: true }),
    failed: explain,
  });
}

export const isOpen = () => dialog.open;

// `values` is the query for the curve, or null if there is none.
export async function open(chosen, values) {
  clear();
  hit = { ...chosen };
  moments = [{ start: hit.start, end: hit.end }];
  byId("player-title").textContent = byId("player-title").title = nameOf(hit);
  scrub.max = String(hit.duration);
  byId("loop").checked = true;
  chart.classList.toggle("empty", !values);
  if (!dialog.open) dialog.showModal();
  byId("play").focus();
  playback.open(hit);
  words.open(hit);
  locate(hit);
  showMoments();
  if (!values) return;
  request = new AbortController();
  try {
    known = await api.curve(hit.video_id, values, request.signal);
    chart.classList.toggle("empty", !known.scores.length); // words have no curve
    const among = known.moments.some((moment) => same(moment, hit));
    moments = [...known.moments, ...(among ? [] : moments)].sort((one, other) => one.start - other.start);
    showMoments();
  } catch (error) {
    if (error.name !== "AbortError") note(error.message);
  }
}

// Learns where a file is, before it may be copied: browsers let pages copy only at once.
async function locate(opened) {
  opened.path ||= await api.video(opened.video_id).then((video) => video.path, () => "");
}

const close = () => dialog.close();

// Closes the player because the address has changed, so that closing it doesn't change the address.
export function hide() {
  if (!dialog.open) return;
  hiding = true;
  close();
}

// The event arrives later than it happened: the player may be open again, or about to be.
function closed() {
  const byVisitor = !hiding;
  hiding = false;
  if (dialog.open) return;
  clear();
  if (byVisitor) act.closed();
}

function clear() {
  request?.abort();
  known = null;
  words.clear();
  shuttle.stop();
  playback.stop();
  showTokens(false);
  note("");
}

const same = (one, other) => Math.abs(one.start - other.start) < NEAR && Math.abs(one.end - other.end) < NEAR;
const inside = (seconds) => seconds >= hit.start - NEAR && seconds < hit.end;

// Goes to a second of the file, as it was: playing or not. Outside of the moment, it isn't looped any more.
function go(seconds, { still = playback.paused() } = {}) {
  shuttle.stop();
  const target = Math.max(0, Math.min(seconds, hit.duration));
  if (!inside(target)) byId("loop").checked = false;
  playback.seek(target, { still });
}

function tick() {
  if (!hit || !dialog.open || !playback.ready()) return;
  const now = playback.now();
  scrub.value = String(now);
  scrub.setAttribute("aria-valuetext", `${clock(now)} of ${clock(hit.duration)}`);
  byId("player-time").textContent = `${clock(now)} / ${clock(hit.duration)}`;
}

function playOrPause() {
  const paused = playback.paused();
  shuttle.stop();
  if (paused) playback.play();
  else playback.pause();
}

function pauseShuttle() {
  shuttle.stop();
  playback.pause();
}

function showState() {
  dialog.classList.toggle("paused", playback.paused());
  dialog.classList.toggle("muted", playback.muted());
  byId("play").setAttribute("aria-label", playback.paused() ? "Play" : "Pause");
  byId("mute").setAttribute("aria-pressed", String(playback.muted()));
}

// Plays another moment of the video.
function jump(moment) {
  if (!moment) return;
  shuttle.stop();
  byId("loop").checked = true;
  change(moment.start, moment.end);
  playback.seek(hit.start);
}

function change(start, end) {
  Object.assign(hit, { start, end });
  playback.narrow(start, end);
  showTokens(false);
  mark();
  act.moved(hit);
}

// Like the in and out points of an editor: a point beyond the other one moves that to the end of the file.
function setIn() {
  const now = playback.now();
  change(now, now < hit.end - NEAR ? hit.end : hit.duration);
}

function setOut() {
  const now = Math.max(playback.now(), 2 * NEAR);
  change(now > hit.start + NEAR ? hit.start : 0, now);
}

const place = () => moments.findIndex((moment) => same(moment, hit));
const next = () => moments.find((moment) => moment.start > hit.start + NEAR);
const previous = () => moments.findLast((moment) => moment.start < hit.start - NEAR);

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.matches("button, input:not([type=range])")) return;
  const step = event.shiftKey ? LONG_STEP : STEP;
  const frame = 1 / (hit.frame_rate || 25);
  const chosen = {
    " ": playOrPause,
    ArrowLeft: () => go(playback.now() - step),
    ArrowRight: () => go(playback.now() + step),
    ArrowUp: () => jump(previous()),
    ArrowDown: () => jump(next()),
    ",": () => go(playback.now() - frame, { still: true }),
    ".": () => go(playback.now() + frame, { still: true }),
    Home: () => go(hit.start),
    End: () => go(hit.end - frame),
    j: shuttle.backward,
    k: pauseShuttle,
    l: shuttle.forward,
    i: setIn,
    o: setOut,
    n: () => jump(next()),
    p: () => jump(previous()),
    c: words.toggle,
    d: () => byId("download").click(),
    x: select,
    r: () => byId("loop").click(),
    m: () => byId("mute").click(),
    f: () => byId("full").click(),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!chosen) return;
  event.preventDefault();
  chosen();
}

function offer(id, text, done) {
  byId(id).addEventListener("click", async () => note((await copy(text())) ? done : "This browser doesn't let pages copy", { brief: true }));
}

// Adds the moment as it is set now to the selection, or takes it out.
function select() {
  const count = selection.toggle(hit);
  showSelected();
  note(`${plural(count, "moment")} selected`, { brief: true });
}

const showSelected = () => byId("select").setAttribute("aria-pressed", String(selection.has(hit)));

// Saves the moment as it is set now.
async function download() {
  byId("download").disabled = true;
  note("Cutting the clip…");
  try {
    await saveClip(hit);
    note("The clip is cut, and being saved", { brief: true });
  } catch (error) {
    note(error.message);
  }
  byId("download").disabled = false;
}

function showMoments() {
  byId("moments").hidden = moments.length < 2;
  byId("moments").replaceChildren(...moments.map((moment) =>
    make("button", { type: "button", className: "quiet", text: span(moment), set: { "aria-label": `Moment ${span(moment)}` }, on: { click: () => jump(moment) } })));
  mark();
}

// Shows which moment is current; it may be one that the visitor has chosen.
function mark() {
  const at = place();
  const drawn = at < 0 ? [...moments, hit] : moments;
  drawTimeline(chart, { duration: hit.duration, moments: known || at < 0 ? drawn : [], curve: known });
  markCurrent(chart, hit.start);
  words.list(hit);
  showSelected();
  byId("player-range").textContent = `${exact(hit.start)} – ${exact(hit.end)}`;
  for (const [number, button] of [...byId("moments").children].entries()) button.setAttribute("aria-pressed", String(number === at));
}

function showTokens(shown) {
  byId("tokens-view").hidden = !shown;
  byId("tokens").setAttribute("aria-expanded", String(shown));
  if (!shown) return;
  const picture = byId("tokens-image");
  picture.alt = `Frames around ${clock(hit.start)}, with the patches that the model dropped dimmed`;
  picture.src = api.tokensPicture(hit.video_id, hit.start);
  picture.addEventListener("load", () => byId("tokens-view").scrollIntoView({ block: "nearest" }), { once: true });
}

// Says why the video doesn't play.
async function explain() {
  const { media } = hit;
  playback.pause();
  const reason = await api.whyNot(media);
  if (media === hit.media && dialog.open) note(reason || "This browser can't play the video.");
}

// Says something over the picture; `brief` if it needn't stay.
function note(text, { brief = false } = {}) {
  clearTimeout(fading);
  byId("player-note").textContent = text;
  byId("player-note").hidden = !text;
  if (brief) fading = setTimeout(note, BRIEF, "");
}
