// The panel about the library: its figures, its folders, what can't be read.

import { byId, length, make, plural } from "./format.js";

const ROOTS = 3; // that are named

export function show(library) {
  const { model } = library;
  const toy = model.nano ? ", a toy model that only knows drawn videos" : "";
  byId("library-figures").textContent = `${plural(library.videos, "video")}, ${length(library.seconds)}. Model ${model.name}${toy}.`;
  const more = library.roots.length - ROOTS;
  const named = library.roots.slice(0, ROOTS).join(", ");
  byId("library-roots").textContent = named ? `Folders: ${named}${more > 0 ? ` and ${more} more` : ""}` : "";
  byId("library-watching").hidden = !library.watching;
  byId("reindex").hidden = library.replica;
  byId("prune").hidden = library.replica || !library.roots.length;
  byId("library-roots").title = library.roots.join("\n");
}

export const hide = () => byId("library").matches(":popover-open") && byId("library").hidePopover();

// Lists files that can't be read: `failed` are the first ones of `total`.
export function showFailures(failed, total) {
  const items = failed.map((video) => make("li", {}, [make("b", { dir: "auto", text: video.name }), `: ${video.reason}`]));
  if (failed.length < total) items.push(make("li", { text: `and ${total - failed.length} more` }));
  byId("failures").querySelector("ul").replaceChildren(...items);
  byId("failures").hidden = !total;
  byId("failures").querySelector("summary").textContent = `${plural(total, "file")} can't be read`;
}
