// The page: sign-in, header, and one view at a time. Hidden views are not drawn.

import { notes, tell } from "./ask.mjs";
import { Account } from "./account.mjs";
import { Blotter } from "./blotter.mjs";
import { el, icon, inFrame, mark, say } from "./dom.mjs";
import { age, money, signed } from "./format.mjs";
import { Gateway, NoAnswer, SignedOut } from "./gateway.mjs";
import { Latency } from "./latency.mjs";
import { Live } from "./live.mjs";
import { Model } from "./model.mjs";
import { tellOutcomes } from "./orders.mjs";
import { Streams } from "./streams.mjs";

const VIEWS = [
  [Live, "M4 20V10m5 6V4m6 12V8m5 12V6"], [Blotter, "M4 6h16M4 12h16M4 18h10"], [Account, "M4 17l5-6 4 4 7-9"],
  [Latency, "M12 7v5l3 2M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16"], [Streams, "M4 8c4-4 4 4 8 0s4 4 8 0M4 16c4-4 4 4 8 0s4 4 8 0"],
];
const THEMES = ["auto", "light", "dark"];
const THEME = "mtg-live-theme";
const FIGURES_MS = 5000;
const SECOND_MS = 1000;

const gateway = new Gateway();
const model = new Model(gateway);

// --- sign-in -------------------------------------------------------------------------------

const token = el("input", { type: "password", name: "token", autocomplete: "off", spellcheck: false, required: true, placeholder: "mgt_…", ariaLabel: "Token" });
const mayTrade = el("input", { type: "checkbox", name: "trade" });
const fault = el("p.fault", { role: "alert" });
const enter = el("button.primary", { type: "submit" }, "Sign in");
const signIn = el("main.sign-in", { hidden: true },
  el("form.card", { onsubmit: (event) => submit(event) },
    el("h1", {}, "mt-gateway"), el("p.muted", {}, "Sign in with the token of a terminal. The page keeps no token: it gets a session, which ends with the gateway."),
    el("label.field", {}, el("span", {}, "Token"), token),
    el("label.check", {}, mayTrade, el("span", {}, "Let this page send orders")),
    fault, enter,
    el("p.muted", {}, "Or in a shell: ", el("code", {}, "mt-gateway ui"), " opens the page signed in, with ", el("code", {}, "--trade"), " for orders.")));

async function submit(event) {
  event.preventDefault();
  const given = token.value.trim();
  token.value = "";
  await begin({ token: given, trade: mayTrade.checked });
}

/** Whether a session was shown here: what it left in the page is nothing of the next one's. */
let isUsed = false;

async function begin(how) {
  enter.disabled = true;
  say(fault, "");
  try {
    await gateway.signIn(how);
    if (isUsed) location.reload();
    else open();
  } catch (error) {
    close(error.message);
  } finally {
    enter.disabled = false;
  }
}

// --- frame ---------------------------------------------------------------------------------

const views = VIEWS.map(([View, path], index) => {
  const view = new View(model);
  const link = el("a.tab", { href: `#${view.key}`, title: `${view.name}: key ${index + 1}` }, icon(path), el("span", {}, view.name));
  return { view, link };
});
const status = el("span.status", { role: "status" });
const terminalName = el("b");
const terminalWhat = el("span.muted");
const kind = el("span.badge");
const equity = el("b");
const floating = el("b");
const themeName = el("span");
const theme = el("button.quiet", { type: "button", onclick: () => setTheme(THEMES[(THEMES.indexOf(themeNow()) + 1) % 3]) },
  icon("M12 4v16M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16m3 3v10m2-8v6"), themeName);
const out = el("button.quiet", { type: "button", onclick: () => gateway.signOut() }, icon("M10 5H5v14h5M15 8l4 4-4 4m4-4H9"), el("span", {}, "Sign out"));
const stage = el("main.stage");
const page = el("div.page", { hidden: true },
  el("header", {},
    el("h1.sr", {}, "Live page"), el("div.who", {}, terminalName, kind, terminalWhat), status,
    el("div.sums", {}, el("span", {}, "Equity ", equity), el("span", {}, "Floating ", floating)),
    el("div.buttons", {}, theme, out)),
  el("nav", { ariaLabel: "Views" }, views.map(({ link }) => link)),
  stage);
document.body.append(signIn, page, notes);
tellOutcomes(model);

let current = null;
const dirty = new Set();
const drawSoon = inFrame(() => {
  for (const what of dirty) current?.view.update(what);
  dirty.clear();
  header();
});

function open() {
  isUsed = true;
  signIn.hidden = true;
  page.hidden = false;
  go();
  gateway.connect();
}

function close(reason = "") {
  page.hidden = true;
  signIn.hidden = false;
  say(fault, reason);
  document.title = "Sign in, mt-gateway";
  token.focus();
}

function go() {
  if (page.hidden) return;
  const wanted = views.find(({ view }) => `#${view.key}` === location.hash) ?? views[0];
  if (wanted === current) return;
  current = wanted;
  for (const { link } of views) link.setAttribute("aria-current", link === wanted.link ? "page" : "false");
  stage.replaceChildren(wanted.view.node);
  wanted.view.update("show");
  dirty.add("prices").add("positions").add("account");
  drawSoon();
}

// --- header --------------------------------------------------------------------------------

function header() {
  const { account, terminal } = model;
  say(terminalName, gateway.session?.terminal ?? "");
  say(terminalWhat, account ? `${account.login} · ${account.server}` : "");
  const type = account ? (account.paper ? "paper" : account.trade_mode) : "";
  say(kind, type);
  kind.className = `badge ${type}`;
  say(equity, account ? `${money(account.equity)} ${account.currency}` : "–");
  say(floating, account ? signed(account.profit) : "–");
  mark(floating, "up", account?.profit > 0);
  mark(floating, "down", account?.profit < 0);
  const [word, mood] = state();
  say(status, word);
  status.className = `status ${mood}`;
  mark(page, "stale", mood !== "good" && mood !== "halt");
  if (!page.hidden) document.title = `${current.view.name}, ${gateway.session?.terminal ?? ""}, mt-gateway`;
}

function state() {
  const seen = gateway.lastHeard ? `, last heard ${age(Date.now() - gateway.lastHeard)} ago` : "";
  if (gateway.state === "waiting") return [`Reconnecting in ${age(gateway.retryAt - Date.now())}${seen}`, "bad"];
  if (gateway.state !== "online") return [`Connecting${seen}`, "warn"];
  if (!terminalKnown()) return ["Connecting", "warn"];
  if (!model.isLinked) return [`Terminal ${model.terminal.state}`, "bad"];
  if (model.terminal.broker_connected === false) return ["No connection to the broker", "bad"];
  if (model.trading && !model.trading.trading_enabled) return ["Trading halted", "halt"];
  return ["Live", "good"];
}

const terminalKnown = () => model.terminal !== null;

function themeNow() {
  const kept = localStorage.getItem(THEME);
  return THEMES.includes(kept) ? kept : "auto";
}

function setTheme(name) {
  localStorage.setItem(THEME, name);
  showTheme();
}

function showTheme() {
  const name = themeNow();
  document.documentElement.dataset.theme = name;
  say(themeName, `Theme: ${name}`);
}

// --- events --------------------------------------------------------------------------------

model.addEventListener("change", ({ detail }) => {
  dirty.add(detail);
  if (detail === "terminal") wake();
  drawSoon();
});
gateway.addEventListener("state", () => {
  dirty.add("state");
  wake();
  drawSoon();
});
gateway.addEventListener("signed-out", ({ detail }) => close(detail));
addEventListener("hashchange", () => go());
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || page.hidden) return;
  const index = Number(event.key) - 1;
  if (views[index]) location.hash = views[index].view.key;
});

let isAwake = false;

/** Begin what needs a linked terminal, each time that one is there again. */
function wake() {
  const now = model.isLive;
  if (now === isAwake) return;
  isAwake = now;
  if (now) views[0].view.begin().catch((error) => isQuiet(error) || tell(error.message, "bad"));
}

const isQuiet = (error) => error instanceof NoAnswer || error instanceof SignedOut;

setInterval(() => {
  if (!page.hidden) header();
}, SECOND_MS);
setInterval(() => {
  if (page.hidden || document.hidden || gateway.state !== "online") return;
  model.refreshFigures().catch((error) => isQuiet(error) || tell(error.message, "bad"));
}, FIGURES_MS);

showTheme();
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (code) {
  // out of the address bar and the history before anything else
  history.replaceState(null, "", "/ui");
  await begin({ code, trade: true });
} else {
  try {
    if (await gateway.resume()) open();
    else close();
  } catch {
    open();
  }
}
