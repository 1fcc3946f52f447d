// The page: reads the address, asks the server, shows the results.

import * as address from "./address.js";
import * as api from "./api.js";
import { byId, length, make, plural } from "./format.js";
import * as jobs from "./jobs.js";
import * as notices from "./notices.js";
import * as past from "./past.js";
import * as player from "./player.js";
import * as results from "./results.js";
import * as sample from "./sample.js";

const PAGE = 24;
const FOOTAGE_PAGE = 48;
const ROOTS = 3; // named in the footer

let view = address.read();
let library = null;
let more = null; // fetches and shows the next page
let running = new AbortController(); // of the current request

const act = {
  open: (hit) => player.open(hit, hit.strength == null ? null : queryOf(hit)),
  like(hit) {
    go({ ...view, q: "", file: null, like: hit.video_id, start: String(hit.window_start) });
    byId("results").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  },
};

// The query to draw the curve along a hit's video for. An uploaded file is gone; its best hit takes its place.
function queryOf(hit) {
  if (view.file) return { like: hit.video_id, start: hit.window_start };
  return view.like ? { like: view.like, start: view.start } : { q: view.q };
}

const isSearching = () => Boolean(view.file || view.q || view.like);

function go(changed) {
  address.write(changed);
  turnTo(changed);
}

// Shows another view because the visitor asked for it. Only this replaces the text in the search field; showing the
// same view again, when the library has changed, keeps what is being typed.
function turnTo(changed) {
  view = changed;
  byId("query").value = view.q;
  show();
}

async function show() {
  const searching = isSearching();
  document.title = view.q ? `${view.q} · CenterCLIP` : "CenterCLIP";
  byId("filters").hidden = !searching;
  byId("failures").hidden = true;
  byId("remark").hidden = true;
  byId("welcome").hidden = searching || !library?.videos;
  fillFilters();
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

async function search(signal) {
  byId("status").textContent = "Searching…";
  const values = { ...Object.fromEntries(address.FILTERS.map((name) => [name, view[name]])), top: PAGE };
  const found = view.file
    ? await api.searchByFile(view.file, view.q, values, signal)
    : await api.search({ ...values, ...queryOf() }, signal);
  results.clear();
  notices.hide();
  if (view.q && !view.file) remember(view.q);
  showHits(found);
  byId("remark").textContent = found.note;
  byId("remark").hidden = !found.note;
  if (found.hits.length) return;
  const filtered = address.narrowing(view).length > 0;
  notices.nothing({ filtered, clearFilters: () => byId("filter-form").reset() });
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
  byId("status").textContent = "";
  const { signal } = running;
  const found = await api.videos(offset, FOOTAGE_PAGE);
  if (signal.aborted) return;
  if (!offset) results.clear();
  if (!found.total) return notices.emptyLibrary(start);
  notices.hide();
  results.append(found.videos.filter((video) => video.state === "done").map(asHit), act);
  showFailures(found.videos.filter((video) => video.state === "failed"), { fresh: !offset });
  const end = offset + found.videos.length;
  setMore(end < found.total ? () => browse(end) : null);
}

const asHit = (video) => ({
  ...video, start: 0, end: video.duration, window_start: 0, excerpt: api.excerpt(video.video_id, 0, Math.min(video.duration, 12)),
});

function showFailures(failed, { fresh }) {
  const list = byId("failures").querySelector("ul");
  if (fresh) list.replaceChildren();
  list.append(...failed.map((video) => make("li", {}, [make("b", { text: video.name }), `: ${video.reason}`])));
  byId("failures").hidden = !list.childElementCount;
  byId("failures").querySelector("summary").textContent = `${plural(list.childElementCount, "file")} can't be read`;
}

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
    byId("status").textContent = error.message;
  }
}

function fillFilters() {
  const form = byId("filter-form");
  for (const name of address.FILTERS) form.elements[name].value = view[name];
  const count = address.narrowing(view).length;
  byId("filter-count").hidden = !count;
  byId("filter-count").textContent = String(count);
}

function readFilters() {
  const form = byId("filter-form");
  const typed = byId("query").value;
  go({ ...view, ...Object.fromEntries(address.FILTERS.map((name) => [name, form.elements[name].value])) });
  byId("query").value = typed; // it may not have been searched for yet
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
    library = await api.stats();
  } catch {
    return; // the next request reports it
  }
  const toy = library.model.nano ? ", a toy model that only knows drawn videos" : "";
  byId("library").textContent = `${plural(library.videos, "video")}, ${length(library.seconds)} · model ${library.model.name}${toy}`;
  showRoots(library.roots);
  byId("examples").replaceChildren(...library.examples.map((text) =>
    make("button", { type: "button", className: "quiet", text, on: { click: () => go({ ...view, q: text, file: null, like: "", start: "" }) } })));
  const option = (value, text) => make("option", { value, text });
  byId("filter-form").elements.folder.replaceChildren(option("", "all"), ...library.folders.map((name) => option(name, name)));
}

// What "Look for new videos" looks into.
function showRoots(roots) {
  const more = roots.length - ROOTS;
  byId("roots").textContent = roots.length ? `Folders: ${roots.slice(0, ROOTS).join(", ")}${more > 0 ? ` and ${more} more` : ""}` : "";
  byId("roots").title = roots.join("\n");
}

function setUpSearch() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const q = byId("query").value.trim();
    go({ ...view, q, like: "", start: "" });
  });
  byId("filter-form").addEventListener("change", readFilters);
  byId("filter-form").addEventListener("submit", (event) => event.preventDefault());
  byId("filter-form").addEventListener("reset", () => setTimeout(readFilters)); // after the fields have been emptied
  byId("more").addEventListener("click", showMore);
  addEventListener("popstate", () => {
    player.close();
    turnTo(address.read());
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), select, dialog");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    byId("query").focus();
    byId("query").select();
  });
}

if (view.q) byId("query").value = view.q;
setUpSearch();
showPast();
results.setUp();
player.setUp(act);
sample.setUp({
  search: (file) => go({ ...view, q: "", file, like: "", start: "" }),
  refuse: (reason) => (byId("status").textContent = reason),
});
await start();
await jobs.setUp({
  async finished(job) {
    await loadLibrary();
    if (!isSearching()) await show(); // don't replace results that the visitor is reading
    byId("status").textContent = jobs.describe(job);
  },
  failed: (error) => (byId("status").textContent = error.message),
});
