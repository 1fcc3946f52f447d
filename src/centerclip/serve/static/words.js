// What is said in the player's video: subtitles in the picture, and the list of what is said in the moment.

import * as api from "./api.js";
import { byId, clock, make } from "./format.js";
import { keep, recall } from "./past.js";
import { label } from "./reasons.js";

const MOST = 100; // cues in the list
const NEAR = 0.05; // seconds within which two moments count as the same

const panel = byId("words");
const button = byId("captions");
const tracks = new Map(); // video element -> its track, and the second of the file at which the element begins

let cues = []; // of one source, in order of time
let found = null; // the hit as it was found
let moment = null; // whose cues are listed
let request = null;
let shown = recall("captions", false);
let act = null; // { go(seconds), failed(reason) }

export function setUp(actions) {
  act = actions;
  button.addEventListener("click", toggle);
}

export async function open(hit) {
  clear();
  found = { ...hit };
  button.hidden = !hit.subtitles;
  if (!hit.subtitles) return;
  request = new AbortController();
  try {
    cues = ofOneSource((await api.cues(hit.video_id, request.signal)).cues, hit.said ?? []);
  } catch (error) {
    if (error.name !== "AbortError") act.failed(error.message);
    return;
  }
  for (const video of tracks.keys()) fill(video);
  showState();
  list(moment ?? hit);
}

// A file may have subtitles in several languages: those with the words that were searched for, or else the first.
function ofOneSource(all, matches) {
  const source = matches[0]?.source ?? all.map((cue) => cue.source).sort()[0];
  return all.filter((cue) => cue.source === source);
}

export function clear() {
  request?.abort();
  [cues, found, moment] = [[], null, null];
  button.hidden = panel.hidden = true;
  for (const video of tracks.keys()) fill(video);
}

// Tells at which second of the file a video element begins, which may hold only a piece of it.
export function place(video, start) {
  const known = tracks.get(video);
  if (known?.start === start && known.of === cues) return;
  tracks.set(video, { track: known?.track ?? video.addTextTrack("subtitles", "What is said"), start });
  fill(video);
  showState();
}

function fill(video) {
  const known = tracks.get(video);
  const { track, start } = known;
  if (track.mode === "disabled") track.mode = "hidden"; // a disabled track doesn't tell its cues
  for (const cue of [...(track.cues ?? [])]) track.removeCue(cue);
  for (const cue of cues) {
    if (cue.end > start) track.addCue(new VTTCue(Math.max(0, cue.start - start), cue.end - start, asText(cue.text)));
  }
  known.of = cues;
}

// A track takes what looks like a tag for one.
const asText = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export function toggle() {
  if (button.hidden) return;
  shown = !shown;
  keep("captions", shown);
  showState();
}

function showState() {
  button.setAttribute("aria-pressed", String(shown));
  for (const { track } of tracks.values()) track.mode = shown ? "showing" : "hidden";
}

// Lists what is said in a moment, and what of it was searched for.
export function list(chosen) {
  moment = { start: chosen.start, end: chosen.end };
  const heard = cues.filter((cue) => cue.end > moment.start && cue.start < moment.end);
  panel.hidden = !heard.length;
  const same = found && Math.abs(found.start - moment.start) < NEAR && Math.abs(found.end - moment.end) < NEAR;
  byId("words-title").textContent = title((same && found.reasons) || []);
  byId("words-list").replaceChildren(...heard.slice(0, MOST).map(item));
  if (heard.length > MOST) byId("words-list").append(make("li", { className: "soft", text: `and ${heard.length - MOST} more` }));
}

function title(reasons) {
  if (reasons.includes("said")) return label(reasons);
  return reasons.length ? "Seen. Said in this moment:" : "Said in this moment:";
}

function item(cue) {
  const matches = (found.said ?? []).some((said) => said.start === cue.start && said.text === cue.text);
  const words = make(matches ? "mark" : "span", { dir: "auto", text: cue.text });
  const time = make("span", { className: "soft", text: clock(cue.start) });
  return make("li", {}, [make("button", { type: "button", className: "quiet", on: { click: () => act.go(cue.start) } }, [time, " ", words])]);
}
