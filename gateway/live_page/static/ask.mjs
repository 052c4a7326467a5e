// The dialog that asks before anything is sent, and the notes that tell what became of it.

import { el, say } from "./dom.mjs";

const dialog = el("dialog.question");
const MAX_NOTES = 4;
const NOTE_MS = 8000;
const LOOK_MS = 300;
let answer = null;
let looking = 0;

/** Close the question that is asked, if one is, and give its answer. */
function settle(yes) {
  const settled = answer;
  answer = null;
  clearInterval(looking);
  if (dialog.open) dialog.close();
  settled?.(yes);
}

// Escape closes by itself. The event comes a task later: by then a person may be asked the next question,
// which is open and must not get the answer of the one before
dialog.addEventListener("close", () => dialog.open || settle(false));
// a click beside the dialog is a way out; the focus goes back to where it was, by itself
dialog.addEventListener("click", (event) => event.target === dialog && settle(false));

export const notes = el("div.notes", { role: "status", ariaLive: "polite" });

/**
 * Ask a person. Facts are pairs of name and value; a value may be a promise, shown when it is there, a
 * function, shown anew while the dialog is open, or a field to fill in. Resolves to whether the answer was yes. The first focus is on "Cancel": a second Enter trades nothing.
 */
export function ask({ title, facts = [], yes, kind = "primary", warning = "" }) {
  if (dialog.open) return Promise.resolve(false);
  settle(false);
  const changing = [];
  const list = facts.filter(Boolean).flatMap(([name, value]) => {
    const isFunction = typeof value === "function";
    const shown = el("dd", {}, value instanceof Promise ? "…" : isFunction ? value() : value);
    if (value instanceof Promise) value.then((text) => say(shown, text), () => say(shown, "not known"));
    if (isFunction) changing.push(() => say(shown, value()));
    return [el("dt", {}, name), shown];
  });
  looking = setInterval(() => changing.forEach((change) => change()), LOOK_MS);
  const no = el("button", { type: "button", onclick: () => settle(false) }, "Cancel");
  const fields = () => [...dialog.querySelectorAll("input")];
  const go = el(`button.${kind}`, { type: "button", onclick: () => fields().every((field) => field.reportValidity()) && settle(true) }, yes);
  dialog.replaceChildren(
    el("h2", { id: "ask-title" }, title), el("dl", {}, list), warning ? el("p.warning", {}, warning) : "",
    el("div.actions", {}, no, go),
  );
  dialog.setAttribute("aria-labelledby", "ask-title");
  if (!dialog.isConnected) document.body.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => (answer = resolve));
}

/** Tell what happened; kind is good, bad, warn or plain. What is unknown stays until it is closed. */
export function tell(text, kind = "plain", key = text) {
  for (const old of notes.querySelectorAll(".note")) if (old.dataset.key === key) old.remove();
  const note = el(`div.note.${kind}`, {}, el("span", {}, text), el("button.quiet", { type: "button", ariaLabel: "Close this note", onclick: () => note.remove() }, "×"));
  note.dataset.key = key;
  notes.append(note);
  while (notes.children.length > MAX_NOTES) notes.firstElementChild.remove();
  if (kind !== "warn") setTimeout(() => note.remove(), NOTE_MS);
}
