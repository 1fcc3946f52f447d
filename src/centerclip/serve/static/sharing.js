// Puts text on the clipboard.

import { make } from "./format.js";

// Returns whether it worked. Browsers offer the clipboard only over HTTPS and on this machine; elsewhere, the text is
// selected and copied as a visitor would do it.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { value: text, readOnly: true });
    const host = document.querySelector("dialog[open]") ?? document.body; // what is outside a dialog can't be selected
    const before = document.activeElement;
    host.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus();
    return done;
  }
}
