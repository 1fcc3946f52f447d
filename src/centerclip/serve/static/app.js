// The page: reads the address, asks the server, shows the results.

import * as address from "./address.js";
import * as api from "./api.js";
import * as dates from "./dates.js";
import * as filters from "./filters.js";
import { byId, make, plural, sentence } from "./format.js";
import * as jobs from "./jobs.js";
import * as libraryPanel from "./library.js";
import * as notices from "./notices.js";
import * as past from "./past.js";
import * as player from "./player.js";
import * as results from "./results.js";
import * as sample from "./sample.js";
import * as selection from "./selection.js";

const PAGE = 24;
const FOOTAGE_PAGE = 48;
const PLACEHOLDER = byId("query").placeholder;
const EXCERPT = 12; // seconds of a video that a preview plays
const NO_SEARCH = { q: "", file: null, like: "", start: "", moment: null };

let view = address.read();
let library = null;
let more = null; // fetches and shows the next page
let running = new AbortController(); // of the current request

const act = {
  open(hit) {
    view = { ...view, moment: momentOf(hit) };
    address.write(view);
    player.open(hit, queryOf(hit));
  },
  like(hit) {
    go({ ...view, ...NO_SEARCH, sort: sortOfSearch(), like: hit.video_id, start: String(hit.window_start) });
    player.hide();
    byId("results").focus({ preventScroll: true });
  },
  heard: () => Boolean(library?.cues),
};

const momentOf = ({ video_id, start, end }) => ({ video_id, start, end });

// The query to draw the curve along a hit's video for. An uploaded file is gone; its best hit takes its place.
function queryOf(hit) {
  if (!isSearching()) return null;
  if (view.file) return { q: view.q, like: hit.video_id, start: hit.window_start };
  return { q: view.q, like: view.like, start: view.start };
}

const isSearching = () => Boolean(view.file || view.q || view.like);
const sortOfSearch = () => (isSearching() ? view.sort : ""); // a library in order of date doesn't bury the best hits
const isFiltered = () => address.narrowing(view).length > 0;
const filterValues = () => Object.fromEntries(["sort", ...address.FILTERS].map((name) => [name, view[name]]));

// Shows another view because the visitor asked for it, from its top.
async function go(changed) {
  view = { ...changed, moment: null };
  address.write(view);
  scrollTo({ top: 0, behavior: "instant" });
  byId("query").value = view.q; // only here and below, so that what is being typed is kept when the library has changed
  await show();
}

// Shows the view of another entry of the history, which may differ only in the player.
async function turnTo(changed) {
  const same = address.sameSearch(view, changed);
  view = changed;
  if (!same) {
    byId("query").value = view.q;
    await show();
  }
  await showMoment();
}

// Opens the player at a moment of which only its place is known.
function showAt({ video_id, start, end }) {
  view = { ...view, moment: { video_id, start, end } };
  address.write(view);
  return showMoment();
}

// Opens or closes the player, as the address says.
async function showMoment() {
  if (!view.moment) return player.hide();
  const { video_id: id, start, end } = view.moment;
  try {
    const video = await api.video(id);
    if (view.moment?.video_id !== id) return; // the visitor has gone on
    const hit = { ...asHit(video), start, end: end > start ? Math.min(end, video.duration) : video.duration, window_start: start };
    await player.open(hit, queryOf(hit));
  } catch (error) {
    if (error.name !== "AbortError") byId("status").textContent = error.message;
  }
}

// The player was closed: so the address loses the moment, and Back doesn't open it again.
function closed() {
  if (!address.read().moment) return;
  view = { ...view, moment: null };
  if (address.wasOpened()) address.leave();
  else address.write(view, { replace: true });
}

async function show() {
  const searching = isSearching();
  byId("heading").textContent = heading();
  document.title = view.q ? `${view.q} · CenterCLIP` : "CenterCLIP";
  byId("remark").hidden = true;
  byId("welcome").hidden = searching || !library?.videos;
  filters.show(view, { searching });
  dates.show(view, { searching, choose: (days) => go({ ...view, ...days }) });
  sample.show(view, () => go({ ...view, file: null, like: "", start: "" }));
  running.abort();
  running = new AbortController();
  setMore(null);
  byId("results").classList.add("stale");
  try {
    await (searching ? search(running.signal) : browse());
  } catch (error) {
    if (error.name === "AbortError") return;
    results.clear();
    byId("status").textContent = "";
    notices.trouble(error, library ? show : start);
  }
  byId("results").classList.remove("stale");
}

function heading() {
  const words = view.q ? `“${view.q}”` : "";
  if (view.file) return `Moments like ${view.file.name} ${words}`.trim();
  if (view.like) return `More like this moment ${words}`.trim();
  return words || (view.folder ? `Videos in ${view.folder}` : "All videos");
}

async function search(signal) {
  byId("status").textContent = "Searching…";
  const values = { ...filterValues(), top: PAGE };
  const found = view.file
    ? await api.searchByFile(view.file, view.q, values, signal)
    : await api.search({ ...values, ...queryOf() }, signal);
  results.clear();
  notices.hide();
  if (view.q && !view.file) remember(view.q);
  showHits(found);
  const remarks = [found.note, results.onlyWeak() ? "Nothing matches well. These moments are the least different." : ""].filter(Boolean);
  byId("remark").textContent = remarks.join(" ");
  byId("remark").hidden = !remarks.length;
  if (!found.hits.length) notices.nothing({ filtered: isFiltered(), searching: true, clearFilters: filters.clear });
}

function showHits(found) {
  results.append(found.hits, act);
  const { videos, moments } = results.counts();
  byId("status").textContent = moments ? `${plural(moments, "moment")} in ${plural(videos, "video")}${found.next ? ", more below" : ""}` : "";
  const { signal } = running;
  setMore(found.next && (async () => showHits(await api.search({ cursor: found.next, top: PAGE }, signal))));
}

// Without a query, the page shows the library itself.
async function browse(offset = 0) {
  const { signal } = running;
  const found = await api.videos({ ...filterValues(), where: "state = 'done'", offset, limit: FOOTAGE_PAGE }, signal);
  if (!offset) results.clear();
  if (found.total) notices.hide();
  byId("status").textContent = found.total ? plural(found.total, "file") : "";
  if (!found.total && isFiltered()) return notices.nothing({ filtered: true, searching: false, clearFilters: filters.clear });
  const roots = library.replica ? [] : library.roots;
  if (!found.total) return notices.emptyLibrary({ ...library, roots, index: () => jobs.start(), again: start });
  results.append(found.videos.map(asHit), act, { whole: true });
  const end = offset + found.videos.length;
  setMore(end < found.total ? () => browse(end) : null);
}

const asHit = (video) => ({
  ...video,
  start: 0,
  end: video.duration,
  window_start: 0,
  copies: [],
  excerpt: api.excerpt(video.video_id, 0, Math.min(video.duration, EXCERPT)),
});

const nearEnd = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && showMore(), { rootMargin: "400px" });

function setMore(fetchMore) {
  more = fetchMore;
  byId("more").hidden = !more;
  nearEnd.disconnect();
  if (more) nearEnd.observe(byId("more")); // again, since it only reports changes, and a short page leaves the end in view
}

async function showMore() {
  const wanted = more;
  if (!wanted) return;
  more = null; // until this page has arrived
  try {
    await wanted();
  } catch (error) {
    if (error.name === "AbortError") return;
    setMore(wanted);
    byId("status").textContent = sentence(error.message);
  }
}

function remember(words) {
  past.remember(words);
  showPast();
}

function showPast() {
  byId("history").replaceChildren(...past.queries().map((value) => make("option", { value })));
}

async function start() {
  await loadLibrary();
  await show();
}

async function loadLibrary() {
  try {
    [library] = await Promise.all([api.stats(), dates.load()]);
  } catch {
    return; // the next request reports it
  }
  libraryPanel.show(library);
  api.failedVideos().then(({ videos, total }) => libraryPanel.showFailures(videos, total), () => {}); // the rest is of use without
  filters.showFolders(library.folders);
  byId("spoken-help").hidden = !library.cues;
  byId("query").placeholder = library.cues ? 'Describe the moment, or spoken:"what is said"' : PLACEHOLDER;
  byId("examples").replaceChildren(...library.examples.map((text) =>
    make("button", { type: "button", className: "quiet", text, on: { click: () => go({ ...view, ...NO_SEARCH, sort: sortOfSearch(), q: text }) } })));
}

function setUpSearch() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    go({ ...view, sort: sortOfSearch(), q: byId("query").value.trim() });
  });
  byId("more").addEventListener("click", showMore);
  addEventListener("popstate", async () => {
    if (address.isLeaving()) return; // the view is ahead of it
    await turnTo(address.read());
    if (!view.moment) scrollTo({ top: address.scrolled(), behavior: "instant" });
  });
  addEventListener("pagehide", address.keepScroll);
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), select, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    byId("query").focus();
    byId("query").select();
  });
}

history.scrollRestoration = "manual"; // the results have to arrive first
if (view.q) byId("query").value = view.q;
setUpSearch();
showPast();
results.setUp();
selection.setUp({ title: () => view.q, open: showAt });
filters.setUp(async (values) => {
  const typed = byId("query").value;
  const shown = go({ ...view, ...values });
  byId("query").value = typed; // it may not have been searched for yet
  await shown;
});
player.setUp({
  like: act.like,
  moved(hit) {
    view = { ...view, moment: momentOf(hit) };
    address.write(view, { replace: true });
  },
  closed,
});
sample.setUp({
  search: (file) => go({ ...view, ...NO_SEARCH, sort: sortOfSearch(), file }),
  refuse: (reason) => (byId("status").textContent = reason),
});
await start();
scrollTo({ top: address.scrolled(), behavior: "instant" });
if (view.moment) await showMoment();
await jobs.setUp(async ({ states }) => {
  await loadLibrary();
  if (isSearching() && !states.removed) return; // don't replace results that the visitor is reading
  const top = scrollY;
  await show();
  scrollTo({ top, behavior: "instant" });
});
