// Searching with a picture or video that is dropped, pasted or picked, and showing it above the results.

import * as api from "./api.js";
import { byId, make } from "./format.js";

let address = ""; // of the file shown, if it came from this browser

export function setUp({ search, refuse }) {
  const take = (files) => {
    const first = [...files].find((file) => /^(image|video)\//.test(file.type));
    if (first) search(first);
    return first;
  };
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
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
    if (!take(event.dataTransfer.files)) refuse("You can only search with pictures and videos.");
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files ?? []) && event.preventDefault());
  byId("pick").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", () => {
    take(byId("file").files);
    byId("file").value = "";
  });
}

export function show({ file, like, start }, clear) {
  if (address) URL.revokeObjectURL(address);
  address = file ? URL.createObjectURL(file) : "";
  byId("sample").hidden = !(file || like);
  if (!file && !like) return byId("sample").replaceChildren();
  const picture = file?.type.startsWith("video/")
    ? make("video", { src: address, muted: true, set: { "aria-label": file.name } })
    : make("img", { src: address || api.thumbnail(like, start || 0), alt: file ? file.name : "The moment to search with" });
  return byId("sample").replaceChildren(
    picture,
    make("span", { text: file ? `Moments like ${file.name}` : "More like this moment" }),
    make("button", { type: "button", className: "quiet small", text: "Clear", on: { click: clear } }),
  );
}
