// Latency: where the time of calls goes, by stage, and what happened to the link.

import { niceStep, paper, sharp } from "./chart.mjs";
import { el, Rows, say, Table } from "./dom.mjs";
import { ms, stampWithZone } from "./format.mjs";

const STAGES = ["queue", "terminal", "whole"];
const SHARES = [0.5, 0.9, 0.99];

/**
 * Return the share-quantile in milliseconds of counts by bucket: the upper bound of the bucket that it
 * lies in, so that it is never told too short. Null where nothing was counted.
 */
export function quantile(counts, bounds, share) {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (!total) return null;
  let left = Math.ceil(total * share);
  for (let i = 0; i < counts.length; i += 1) {
    left -= counts[i];
    if (left <= 0) return (bounds[i] ?? Infinity) * 1000;
  }
  return Infinity;
}

/** The share-quantile of numbers. */
export function quantileOf(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

const atMost = (value) => (value === null ? "–" : value === Infinity ? "> 10 s" : `≤ ${ms(value)}`);

export class Latency {
  name = "Latency";
  key = "latency";

  constructor(model) {
    this.model = model;
    const tile = (name) => ({ name, shown: el("b", {}, "–"), note: el("small") });
    this.tiles = [tile("Page to gateway, p50"), tile("Page to gateway, p99"), tile("Gateway to terminal"), tile("Journal to disk, p50"), tile("Journal to disk, p99"), tile("Calls since start")];
    this.canvas = el("canvas", { role: "img", ariaLabel: "Durations of all calls, by stage" });
    this.stage = "whole";
    this.stages = STAGES.map((name) => el("button", { type: "button", ariaPressed: String(name === "whole"), onclick: () => this.#choose(name) }, name));
    sharp(this.canvas, () => this.#bars());
    const columns = STAGES.flatMap((stage) => SHARES.map((share) => ({
      name: `${stage} p${share * 100}`, kind: "num", text: (row) => atMost(row.stages[stage]?.[share] ?? null),
    })));
    this.table = new Table([
      { name: "Method", kind: "symbol", text: (row) => row.method }, { name: "Calls", kind: "num", text: (row) => String(row.calls) },
      { name: "Failed", kind: "num", text: (row) => String(row.failed) }, ...columns,
    ], { label: "Durations by method", empty: "No calls yet.", keyOf: (row) => row.method });
    this.list = el("ul.events");
    this.rows = new Rows(this.list, (event) => event.key, (event) => ({ node: el("li", {}, el("small", {}, stampWithZone(event.at)), el("span", {}, event.text)) }), () => {});
    this.node = el("section.latency", { ariaLabel: "Latency" },
      el("div.tiles", {}, this.tiles.map((t) => el("div.card.tile", {}, el("span", {}, t.name), el("p", {}, t.shown, t.note)))),
      el("div.card.histogram", {}, el("div.toolbar", {}, el("h2", {}, "All calls by duration, in milliseconds"), el("div.segments", { role: "group", ariaLabel: "Stage" }, this.stages)), el("div.plot", {}, this.canvas)),
      el("div.card.links", {}, el("h2", {}, "Link events of this page"), this.list),
      el("div.card.methods", {}, el("h2", {}, "By method, in milliseconds, of all programs since the gateway started"), this.table.node,
        el("p.muted.foot", {}, "queue: from the arrival until the first command goes to the terminal. terminal: while a command is with it. whole: until the answer is encoded. A value is the upper bound of its bucket.")));
  }

  #choose(name) {
    this.stage = name;
    this.stages.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === name)));
    this.#bars();
  }

  update(what) {
    if (what === "link" || what === "show") this.rows.show(this.model.linkEvents);
    if (["figures", "show", "state"].includes(what)) this.#figures();
  }

  #figures() {
    const { figures, gateway } = this.model;
    const trips = gateway.roundTrips.map((trip) => trip.ms);
    this.#tile(0, quantileOf(trips, 0.5));
    this.#tile(1, quantileOf(trips, 0.99));
    if (!figures) return;
    const { bounds_s: bounds, readings } = figures;
    const trip = readings.terminal_round_trip_seconds.values.find(([[name]]) => name === gateway.session?.terminal);
    this.#tile(2, trip ? trip[1] * 1000 : null);
    const commits = readings.ledger_commit_seconds.buckets[0]?.[1][0] ?? [];
    this.#tile(3, quantile(commits, bounds, 0.5), "≤ ");
    this.#tile(4, quantile(commits, bounds, 0.99), "≤ ");
    const rows = methods(readings, bounds);
    say(this.tiles[5].shown, String(rows.reduce((sum, row) => sum + row.calls, 0)));
    this.table.show(rows);
    this.#bars();
  }

  #tile(index, value, sign = "") {
    const { shown, note } = this.tiles[index];
    say(shown, value === null ? "–" : sign + ms(value));
    say(note, value === null ? "" : "ms");
  }

  #bars() {
    const { figures } = this.model;
    if (!figures) return;
    const { bounds_s: bounds, readings } = figures;
    const counts = new Array(bounds.length + 1).fill(0);
    for (const [[, stage], [each]] of readings.call_duration_seconds.buckets) {
      if (stage === this.stage) each.forEach((n, i) => (counts[i] += n));
    }
    drawBars(this.canvas, counts, [...bounds.map((bound) => (bound < 1 ? `${bound * 1000}` : `${bound} s`)), "more"]);
  }
}

function methods(readings, bounds) {
  const rows = new Map();
  for (const [[method, outcome], n] of readings.calls_total.values) {
    const row = rows.get(method) ?? { method, calls: 0, failed: 0, stages: {} };
    row.calls += n;
    if (outcome !== "ok") row.failed += n;
    rows.set(method, row);
  }
  for (const [[method, stage], [counts]] of readings.call_duration_seconds.buckets) {
    const row = rows.get(method);
    if (row) row.stages[stage] = Object.fromEntries(SHARES.map((share) => [share, quantile(counts, bounds, share)]));
  }
  return [...rows.values()].sort((a, b) => b.calls - a.calls || a.method.localeCompare(b.method));
}

function drawBars(canvas, counts, names) {
  const { g, w, h, color } = paper(canvas);
  const first = Math.max(0, counts.findIndex((n) => n > 0) - 1);
  const last = Math.min(counts.length - 1, counts.findLastIndex((n) => n > 0) + 1);
  if (w < 60 || last < first) return;
  const shown = counts.slice(first, last + 1);
  const top = Math.max(...shown, 1);
  const plot = { w: w - 52, h: h - 26 };
  const each = plot.w / shown.length;
  g.fillStyle = color("muted");
  g.strokeStyle = color("grid");
  g.textAlign = "left";
  const step = Math.max(1, niceStep(top, 4));
  for (let at = step; at <= top; at += step) {
    const y = Math.round(plot.h - (at / top) * (plot.h - 12)) + 0.5;
    g.beginPath();
    g.moveTo(0, y);
    g.lineTo(plot.w, y);
    g.stroke();
    g.fillText(String(at), plot.w + 8, y);
  }
  shown.forEach((n, i) => {
    const height = (n / top) * (plot.h - 12);
    g.fillStyle = color("accent");
    g.fillRect(i * each + 3, plot.h - height, Math.max(2, each - 6), height);
    g.fillStyle = color("muted");
    g.textAlign = "center";
    if (each > 34 || i % 2 === 0) g.fillText(names[first + i], i * each + each / 2, plot.h + 13);
  });
}
