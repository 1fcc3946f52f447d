// Indexing started from the page: live progress, and a stop button.

import * as api from "./api.js";
import { byId, plural } from "./format.js";

let job = null;
let source = null;

export function setUp({ finished, failed }) {
  byId("reindex").addEventListener("click", async () => {
    try {
      follow((await api.startIndexing()).job, { finished });
    } catch (error) {
      failed(error);
    }
  });
  byId("job-cancel").addEventListener("click", () => job && api.cancelIndexing(job).catch(failed));
}

export function follow(id, { finished }) {
  job = id;
  source?.close();
  show("Looking at the files…", null);
  source = api.followIndexing(id);
  source.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    if (state.state === "running") {
      show(state.total ? `${state.files} of ${plural(state.total, "new file")}` : "Looking at the files…", state.total ? state.files / state.total : null);
      return;
    }
    source.close();
    job = null;
    byId("job").hidden = true;
    byId("reindex").hidden = false;
    finished(state);
  });
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && show("Connection lost.", null));
}

function show(text, part) {
  byId("job").hidden = false;
  byId("reindex").hidden = true;
  byId("job-text").textContent = text;
  const bar = byId("job-bar");
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
}
