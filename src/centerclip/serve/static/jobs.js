// Indexing from the page: a bar at the bottom of the window with live progress, a stop button and the outcome. A job
// continues when the page is closed. A page that is opened follows the job that is running, whoever started it.

import * as api from "./api.js";
import { byId, plural, sentence } from "./format.js";

let finished = null; // called with a job that has ended
let source = null; // of the events of the job that is followed
let current = ""; // its id

export async function setUp(whenFinished) {
  finished = whenFinished;
  byId("reindex").addEventListener("click", () => start());
  byId("prune").addEventListener("click", () => start({ prune: true }));
  byId("job-cancel").addEventListener("click", () => api.cancelIndexing(current).catch(report));
  byId("job-dismiss").addEventListener("click", () => (byId("job").hidden = true));
  await resume(({ watch }) => !watch);
}

// With `prune`, the job also takes files that aren't there any more out of the index.
export async function start({ prune = false } = {}) {
  if (source) return; // one is running
  try {
    follow((await api.startIndexing({ prune })).job);
  } catch (error) {
    if (error.status !== 409 || !(await resume())) report(error);
  }
}

// Follows the job that is running, if there is one that is `wanted`.
async function resume(wanted = () => true) {
  const { jobs } = await api.indexJobs().catch(() => ({ jobs: [] })); // what else is asked of the server reports it
  const running = jobs.find((job) => job.state === "running" && wanted(job));
  if (running) follow(running.job);
  return Boolean(running);
}

function follow(id) {
  current = id;
  source?.close();
  show("Looking for new files…", null);
  source = api.followIndexing(id);
  source.addEventListener("progress", (event) => {
    const job = JSON.parse(event.data);
    if (job.state === "running") {
      const known = job.total > 0;
      show(known ? `${job.files} of ${plural(job.total, "new file")}` : "Looking for new files…", known ? job.files / job.total : null);
      return;
    }
    end(describe(job));
    finished(job);
  });
  // The browser reconnects by itself unless the server answers that there is no such job.
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && end("The server has stopped this job."));
}

const report = (error) => end(sentence(error.message));

function end(outcome) {
  source?.close();
  source = null;
  show(outcome, 1);
  byId("job").classList.add("ended");
  byId("job-cancel").hidden = true;
  byId("job-dismiss").hidden = false;
  byId("reindex").disabled = byId("prune").disabled = false;
}

function show(text, part) {
  byId("job").hidden = false;
  byId("job").classList.remove("ended");
  byId("job-cancel").hidden = false;
  byId("job-dismiss").hidden = true;
  byId("reindex").disabled = byId("prune").disabled = true;
  byId("job-text").textContent = text;
  if (part === null) byId("job-bar").removeAttribute("value");
  else byId("job-bar").value = part;
}

function describe(job) {
  if (job.state === "failed") return job.message;
  const { indexed, moved, copied, removed, missing: gone, failed } = job.states;
  const others = [
    moved && `${moved} moved`,
    copied && `${copied} copied`,
    removed && `${plural(removed, "file")} forgotten`,
    gone && `${plural(gone, "file")} missing`,
    failed && `${failed} can't be read (see Library)`,
  ].filter(Boolean);
  const done = [indexed ? `${plural(indexed, "video")} indexed` : "Nothing new", ...others].join(", ");
  const stopped = job.state === "canceled" ? "Stopped: " : "";
  const missing = job.missing.length ? ` Not found: ${job.missing.join(", ")}.` : "";
  return `${stopped}${done}.${missing}`;
}
