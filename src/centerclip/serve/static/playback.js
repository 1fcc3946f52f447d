// Plays a file from any second of it. What the browser can't play, the server converts in pieces: while one plays, the
// next is loaded into the second video element, which takes over at its end.

import * as api from "./api.js";
import { plays } from "./formats.js";

const FIRST = 6; // seconds of the first piece, which should begin soon
const NEXT = 12; // seconds of each piece after it
const LONGEST_MOMENT = 12; // seconds; a longer moment is played in pieces too, so that it begins soon
const EARLY = 0.1; // seconds from which a piece that begins at an earlier key frame counts as early
const END = 0.2; // seconds before the end of a file that nobody misses

const screen = document.getElementById("screen");
let [video, spare] = screen.querySelectorAll("video");
let hit = null;
let direct = true; // whether the file itself is played
let piece = null; // what `video` plays of the file, as { start, end, early }, unless it plays the file
let coming = null; // what `spare` holds
let loops = () => true; // whether the moment is repeated
let report = null; // { tick(), state(), placed(video, start), converted(), silenced(), failed() }

export function setUp(callbacks) {
  ({ loops, ...report } = callbacks);
  for (const element of [video, spare]) {
    const own = (act) => () => element === video && hit && act();
    element.addEventListener("timeupdate", own(tick));
    element.addEventListener("ended", own(goOn));
    element.addEventListener("error", own(() => element.hasAttribute("src") && failed()));
    element.addEventListener("playing", own(prepare));
    for (const name of ["play", "pause", "volumechange", "ratechange"]) element.addEventListener(name, own(report.state));
  }
}

// Plays from the beginning of a hit's moment. The hit may be changed later by `narrow`.
export function open(chosen) {
  stop();
  hit = chosen;
  direct = plays(hit);
  seek(hit.start);
}

// Changes which moment is looped.
export function narrow(start, end) {
  Object.assign(hit, { start, end });
  drop(spare);
  coming = null;
  prepare();
}

export function stop() {
  hit = null;
  for (const element of [video, spare]) {
    element.pause();
    setRateOf(element, 1);
    drop(element);
  }
  piece = coming = null;
}

export const now = () => (direct || !piece ? video.currentTime : piece.start - piece.early + video.currentTime);
export const ready = () => video.readyState > 0;
export const paused = () => video.paused;
export const muted = () => video.muted;
export const isConverted = () => !direct;

// Browsers refuse to play with sound until the visitor has done something on the page, as after opening a shared moment.
export function play() {
  const active = video;
  active.play().catch((error) => {
    if (active !== video || !hit) return;
    if (error.name === "NotAllowedError" && !active.muted) {
      mute(true);
      report.silenced();
      play();
    } else report.state(); // there is the button
  });
}

export const pause = () => video.pause();

export function mute(silent) {
  for (const element of [video, spare]) element.muted = silent;
}

export function setRate(rate) {
  for (const element of [video, spare]) setRateOf(element, rate);
}

// Loading a piece resets an element's rate to its default.
const setRateOf = (element, rate) => (element.defaultPlaybackRate = element.playbackRate = rate);

// Jumps to a second of the file, and plays unless `still`. Returns when it is there.
export function seek(seconds, { still = false } = {}) {
  const target = Math.max(0, Math.min(seconds, hit.duration - END / 2));
  if (direct) load(api.at(hit.media));
  else if (!piece || target < piece.start - 0.01 || target >= piece.end) begin(pieceAt(target, FIRST));
  return arrive(target, still);
}

function arrive(target, still) {
  const active = video;
  return new Promise((done) => {
    const move = () => {
      settle();
      active.addEventListener("seeked", done, { once: true });
      active.currentTime = direct ? target : target - piece.start + piece.early;
      if (still) active.pause();
      else play();
    };
    if (active.readyState >= 1) move();
    else active.addEventListener("loadedmetadata", move, { once: true });
  });
}

// The piece of the file to play at a second. It begins there, unless the second lies in a short moment, which is one piece,
// or just before the current piece: then it ends where that begins, so that playing backward needs few pieces.
function pieceAt(second, most) {
  const { start, end, duration } = hit;
  if (second >= start - 0.05 && second < end && end - start <= LONGEST_MOMENT) return { start, end, early: 0 };
  const before = piece ? piece.start - FIRST : Infinity;
  if (second >= before && second < piece?.start) return { start: Math.max(0, before), end: piece.start, early: 0 };
  const stop = second < start ? start : second < end && loops() ? end : duration;
  return { start: second, end: Math.min(second + most, stop), early: 0 };
}

function begin(wanted) {
  piece = wanted;
  if (!coming) drop(spare);
  load(api.excerpt(hit.video_id, piece.start, piece.end));
  report.converted();
}

// A piece that was copied begins at the key frame before its start; how long before is known from its length.
function settle() {
  if (direct || !piece) return report.placed(video, 0);
  const extra = video.duration - (piece.end - piece.start); // not a number if the length isn't known
  if (Number.isFinite(extra)) piece.early = extra > EARLY && extra < 1 ? extra : 0;
  return report.placed(video, piece.start - piece.early);
}

function load(source) {
  if (video.getAttribute("src") !== source) video.src = source;
}

function drop(element) {
  element.removeAttribute("src");
  element.load();
}

// Where playback goes on after this piece; null at the end of the file.
function following() {
  if (loops() && piece.end >= hit.end - 0.05 && piece.start < hit.end) return hit.start;
  return piece.end < hit.duration - END ? piece.end : null;
}

function prepare() {
  if (!hit || direct || !piece) return;
  const start = following();
  if (start === null || (start >= piece.start && start < piece.end)) return;
  if (coming && Math.abs(coming.start - start) < 0.01) return;
  coming = pieceAt(start, NEXT);
  spare.src = api.excerpt(hit.video_id, coming.start, coming.end);
}

function tick() {
  if (loops() && now() >= hit.end && !video.paused) again();
  report.tick();
}

const again = () => goTo(hit.start);

function goTo(start) {
  if (coming && Math.abs(coming.start - start) < 0.01 && !spare.error) swap();
  else seek(start);
}

// At the end of the file, or of a piece.
function goOn() {
  if (direct) {
    if (loops()) seek(hit.start);
    return;
  }
  const start = following();
  if (start !== null) goTo(start);
}

function swap() {
  const rest = video;
  [video, spare] = [spare, video];
  [piece, coming] = [coming, null];
  [video.id, spare.id] = ["video", ""];
  settle();
  video.currentTime = piece.early;
  [video.hidden, spare.hidden] = [false, true];
  play();
  rest.pause();
}

// If this browser lacks the codec after all, the file is converted.
function failed() {
  if (!direct) return report.failed();
  const { start } = hit;
  direct = false;
  drop(video);
  seek(start);
}
