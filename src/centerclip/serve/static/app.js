// The page: reads the address, asks the server, shows what came back.

import * as address from "./address.js";
import * as api from "./api.js";
import { card } from "./cards.js";
import { byId, length, make, plural } from "./format.js";
import * as jobs from "./jobs.js";
import * as player from "./player.js";

const PAGE = 24;
const REMEMBERED = 12;

let view = address.read();
let file = null; // a picture or clip searched by; it can't be part of the address
let next = null; // cursor of the next page
let library = null;
let running = null; // the request under way

const act = { open: (hit) => player.open(hit, file ? { like: hit.video_id, start: hit.window_start } : query()), like };
const query = () => (view.like ? { like: view.like, start: view.start } : { q: view.q });

function like(hit) {
  file = null;
  go({ ...view, q: "", like: hit.video_id, start: String(hit.window_start) });
}

function go(changed, options) {
  view = changed;
  address.write(view, options);
  show();
}

async function show() {
  byId("query").value = view.q;
  fillFilters();
  showSample();
  running?.abort();
  next = null;
  byId("more").hidden = true;
  const asked = file || view.q || view.like;
  byId("examples").hidden = Boolean(asked);
  document.title = view.q ? `${view.q} · CenterCLIP` : "CenterCLIP";
  if (!asked) {
    byId("results").replaceChildren();
    byId("status").textContent = "";
    return welcome();
  }
  running = new AbortController();
  byId("results").classList.add("stale");
  byId("status").textContent = "Searching…";
  try {
    const filters = Object.fromEntries(address.FILTERS.map((name) => [name, view[name]]));
    const values = { ...filters, top: PAGE };
    const found = file
      ? await api.searchByFile(file, { ...values, q: view.q }, running.signal)
      : await api.search({ ...values, ...query() }, running.signal);
    byId("results").replaceChildren();
    notice(null);
    append(found);
    if (view.q && !file) remember(view.q);
    if (!found.hits.length) nothing();
  } catch (error) {
    if (error.name !== "AbortError") trouble(error, show);
  } finally {
    byId("results").classList.remove("stale");
  }
  return undefined;
}

async function showMore() {
  if (!next || byId("more").disabled) return;
  byId("more").disabled = true;
  try {
    append(await api.search({ cursor: next, top: PAGE }, running.signal));
  } catch (error) {
    if (error.name !== "AbortError") trouble(error, showMore);
  } finally {
    byId("more").disabled = false;
  }
}

// Several hits of one video become one card; a later page may add a card of the same video.
function append(found) {
  const groups = new Map();
  for (const hit of found.hits) groups.set(hit.video_id, [...(groups.get(hit.video_id) ?? []), hit]);
  byId("results").append(...[...groups.values()].map((hits) => card(hits, act)));
  next = found.next;
  byId("more").hidden = !next;
  const shown = byId("results").childElementCount;
  byId("status").textContent = shown ? `${plural(shown, "video")}${next ? ", more below" : ""}` : "";
}

function notice(title, ...rest) {
  byId("notice").hidden = title === null;
  byId("notice").replaceChildren(...(title === null ? [] : [make("h2", { text: title }), ...rest]));
}

function welcome() {
  if (!library) return;
  if (library.videos) return void notice("Find a moment", make("p", { text: "Type a sentence, or drop a picture anywhere on this page." }));
  notice(
    "This library is empty",
    make("p", { text: "Index a folder of videos in a terminal, and this page finds them without a restart:" }),
    make("pre", { text: "centerclip index ~/Videos" }),
  );
}

function nothing() {
  const filtered = address.FILTERS.some((name) => name !== "per_video" && view[name]);
  byId("status").textContent = "No moment found.";
  notice(
    "No moment found",
    make("p", { text: filtered ? "The filters leave nothing over." : "Try other words; a picture works too." }),
    ...(filtered ? [make("button", { type: "button", text: "Clear the filters", on: { click: () => byId("filter-form").reset() } })] : []),
  );
}

function trouble(error, again) {
  byId("status").textContent = "";
  byId("results").replaceChildren();
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  notice(
    error.code === "gone" ? "No connection" : "That did not work",
    make("p", { text: error.message + wait }),
    make("button", { type: "button", text: "Try again", on: { click: () => again() } }),
  );
}

function fillFilters() {
  const form = byId("filter-form");
  for (const name of address.FILTERS) form.elements[name].value = view[name];
  const count = address.FILTERS.filter((name) => name !== "per_video" && view[name]).length;
  byId("filter-count").hidden = !count;
  byId("filter-count").textContent = String(count);
}

function readFilters() {
  const form = byId("filter-form");
  go({ ...view, ...Object.fromEntries(address.FILTERS.map((name) => [name, form.elements[name].value])) });
}

function showSample() {
  const box = byId("sample");
  for (const shown of box.querySelectorAll("img[src^=blob], video[src^=blob]")) URL.revokeObjectURL(shown.src);
  box.hidden = !(file || view.like);
  if (box.hidden) return;
  let picture;
  if (file?.type.startsWith("video/")) picture = make("video", { src: URL.createObjectURL(file), muted: true });
  else if (file) picture = make("img", { src: URL.createObjectURL(file), alt: `Searching by ${file.name}` });
  else picture = make("img", { src: `/thumbnails/${encodeURIComponent(view.like)}?t=${view.start}`, alt: "The moment to resemble" });
  box.replaceChildren(
    picture,
    make("span", { text: file ? `Like ${file.name}` : "More like this moment" }),
    make("button", { type: "button", className: "quiet", text: "Clear", on: { click: () => searchBy(null) } }),
  );
}

function searchBy(chosen) {
  file = chosen;
  go({ ...view, like: "", start: "", q: chosen ? "" : view.q });
}

function remember(words) {
  const past = [words, ...recall().filter((other) => other !== words)].slice(0, REMEMBERED);
  localStorage.setItem("queries", JSON.stringify(past));
  byId("history").replaceChildren(...past.map((value) => make("option", { value })));
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem("queries") ?? "[]");
  } catch {
    return [];
  }
}

async function loadLibrary() {
  try {
    library = await api.stats();
  } catch (error) {
    return trouble(error, loadLibrary);
  }
  const model = library.model ? ` · ${library.model.name}, ${library.model.schedule}` : "";
  const toy = library.model?.nano ? " (a toy model that knows the toy world only)" : "";
  const failed = library.failed ? ` · ${library.failed} could not be read` : "";
  byId("library").textContent = `${plural(library.videos, "video")}, ${length(library.seconds)}${failed}${model}${toy}`;
  byId("examples").replaceChildren(...library.examples.map((text) =>
    make("button", { type: "button", className: "quiet", text, on: { click: () => go({ ...view, q: text, like: "", start: "" }) } })));
  const folders = byId("filter-form").elements.folder;
  folders.replaceChildren(make("option", { value: "", text: "all" }), ...library.folders.map((name) => make("option", { value: name, text: name })));
  fillFilters();
  if (!(file || view.q || view.like)) notice(null), welcome();
  return undefined;
}

function setUpTheme() {
  const root = document.documentElement;
  const stored = localStorage.getItem("theme");
  if (stored) root.dataset.theme = stored;
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

function setUpDrop() {
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const first = (files) => [...files].find((each) => /^(image|video)\//.test(each.type));
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    byId("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => !event.relatedTarget && (byId("drop").hidden = true));
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    byId("drop").hidden = true;
    const dropped = first(event.dataTransfer.files);
    if (dropped) searchBy(dropped);
    else byId("status").textContent = "Only pictures and videos can be searched by.";
  });
  addEventListener("paste", (event) => {
    const pasted = first(event.clipboardData?.files ?? []);
    if (pasted) searchBy(pasted);
  });
  byId("pick").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", () => {
    if (byId("file").files[0]) searchBy(byId("file").files[0]);
    byId("file").value = "";
  });
}

function setUpKeys() {
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      byId("query").focus();
      byId("query").select();
    }
  });
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = byId("query").value.trim();
  if (!words && !file) return byId("query").focus();
  go({ ...view, q: words, like: "", start: "" });
  return undefined;
});
byId("filter-form").addEventListener("change", readFilters);
byId("filter-form").addEventListener("submit", (event) => event.preventDefault());
byId("filter-form").addEventListener("reset", () => setTimeout(readFilters));
byId("more").addEventListener("click", showMore);
new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && showMore(), { rootMargin: "400px" }).observe(byId("more"));
addEventListener("popstate", () => {
  file = null;
  view = address.read();
  show();
});
byId("history").replaceChildren(...recall().map((value) => make("option", { value })));

setUpTheme();
setUpDrop();
setUpKeys();
player.setUp({ like });
jobs.setUp({
  finished: (state) => {
    byId("status").textContent = state.message ?? "The library is up to date.";
    loadLibrary();
    if (view.q || view.like) show();
  },
  failed: (error) => (byId("status").textContent = error.message),
});
fillFilters();
await loadLibrary();
if (library?.job) jobs.follow(library.job, { finished: loadLibrary });
show();
