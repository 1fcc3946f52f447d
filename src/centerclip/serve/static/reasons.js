// Why a moment was found: it is seen, said, or both; and the words that are said.

import { clock, make } from "./format.js";

export const label = (reasons) => (reasons.length > 1 ? "Seen and said" : { seen: "Seen", said: "Said" }[reasons[0]] ?? "");

// A line for a card: the words that were found, and when they are said.
export function line({ reasons = [], said = [] }) {
  if (!said.length) return [];
  const [first, ...more] = said;
  const words = make("p", { className: "said", title: said.map((cue) => `${clock(cue.start)} ${cue.text}`).join("\n") }, [
    make("span", { className: "soft", text: `${label(reasons)} at ${clock(first.start)}: ` }),
    make("q", { dir: "auto", text: first.text }),
  ]);
  if (more.length) words.append(make("span", { className: "soft", text: ` and ${more.length} more` }));
  return [words];
}
