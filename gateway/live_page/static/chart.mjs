// Candles on a canvas: pan, zoom, crosshair, and lines of orders and positions.

import { price } from "./format.mjs";

export const MAX_BARS = 1500;
const AXIS_W = 74;
const AXIS_H = 24;
const MIN_STEP = 2;
const MAX_STEP = 40;
const RIGHT_GAP = 6;
const DAY_MS = 86_400_000;

/** Makes a canvas as sharp as the screen, and calls back when its size or the theme changes. */
export function sharp(canvas, draw) {
  const fit = () => {
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    const w = Math.round(width * ratio);
    const h = Math.round(height * ratio);
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    draw();
  };
  new ResizeObserver(fit).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
}

/** Return a context in CSS pixels, cleared, with its size and the theme's colours. */
export function paper(canvas) {
  const ratio = devicePixelRatio || 1;
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  const w = canvas.width / ratio;
  const h = canvas.height / ratio;
  g.clearRect(0, 0, w, h);
  const style = getComputedStyle(canvas);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  g.font = `11px ${style.fontFamily}`;
  g.textBaseline = "middle";
  return { g, w, h, color };
}

/** Return round steps over a span, at most about so many. */
export function niceStep(span, count) {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / power;
  return (lead > 5 ? 10 : lead > 2 ? 5 : lead > 1 ? 2 : 1) * power;
}

export class Chart {
  bars = [];
  lines = [];
  marks = [];
  digits = 5;
  quote = null;
  onHover = () => {};
  onOlder = () => {};
  #step = 8;
  #shift = 0;
  #pointer = null;
  #grip = null;
  #pinch = 0;
  #pointers = new Map();
  #asked = false;

  constructor(canvas) {
    this.canvas = canvas;
    sharp(canvas, () => this.draw());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.#point(null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  setBars(bars, digits) {
    this.bars = bars.slice(-MAX_BARS);
    this.digits = digits;
    this.#shift = 0;
    this.#asked = false;
    this.redraw();
  }

  /** Add older bars; the view stays where it is, since it counts from the newest. */
  addOlder(bars) {
    const first = this.bars[0]?.time ?? Infinity;
    this.bars = [...bars.filter((bar) => bar.time < first), ...this.bars].slice(-MAX_BARS);
    this.#asked = bars.length === 0 || this.bars.length >= MAX_BARS;
    this.redraw();
  }

  /** Take a bar that forms or has closed. */
  update(bar) {
    const last = this.bars.at(-1);
    if (last && bar.time < last.time) {
      const at = this.bars.findIndex((each) => each.time === bar.time);
      if (at >= 0) this.bars[at] = bar;
    } else if (last?.time === bar.time) this.bars[this.bars.length - 1] = bar;
    else {
      this.bars.push(bar);
      if (this.bars.length > MAX_BARS) this.bars.shift();
      if (this.#shift > 0) this.#shift += 1;
    }
    this.redraw();
  }

  zoom(factor) {
    this.#step = Math.min(MAX_STEP, Math.max(MIN_STEP, this.#step * factor));
    this.redraw();
  }

  pan(bars) {
    this.#shift = Math.min(Math.max(-20, this.#shift + bars), Math.max(0, this.bars.length - 5));
    if (!this.#asked && this.#shift + this.#count() > this.bars.length - 20 && this.bars.length) {
      this.#asked = true;
      this.onOlder(this.bars[0].time);
    }
    this.redraw();
  }

  latest() {
    this.#shift = 0;
    this.redraw();
  }

  redraw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  #count() {
    return Math.ceil((this.canvas.clientWidth - AXIS_W) / this.#step);
  }

  // --- pointer and keys ---------------------------------------------------------------------

  #wheel(event) {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(-event.deltaX / this.#step);
    else this.zoom(event.deltaY < 0 ? 1.12 : 1 / 1.12);
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, event.offsetX);
    this.#grip = { x: event.offsetX, shift: this.#shift };
    this.#pinch = this.#spread();
  }

  #move(event) {
    if (this.#pointers.has(event.pointerId)) this.#pointers.set(event.pointerId, event.offsetX);
    if (this.#pointers.size === 2) {
      const spread = this.#spread();
      if (this.#pinch) this.zoom(spread / this.#pinch);
      this.#pinch = spread;
    } else if (this.#grip && this.#pointers.size === 1) {
      const wanted = this.#grip.shift + (event.offsetX - this.#grip.x) / this.#step;
      this.pan(wanted - this.#shift);
    }
    this.#point({ x: event.offsetX, y: event.offsetY });
  }

  #spread() {
    const [a, b] = this.#pointers.values();
    return b === undefined ? 0 : Math.max(10, Math.abs(a - b));
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    this.#grip = null;
    if (event.pointerType !== "mouse") this.#point(null);
  }

  #key(event) {
    const act = {
      ArrowLeft: () => this.pan(10), ArrowRight: () => this.pan(-10), "+": () => this.zoom(1.25), "=": () => this.zoom(1.25),
      "-": () => this.zoom(0.8), End: () => this.latest(),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  #point(at) {
    this.#pointer = at;
    this.redraw();
  }

  // --- drawing ------------------------------------------------------------------------------

  draw() {
    const { g, w, h, color } = paper(this.canvas);
    if (w < AXIS_W + 20 || h < AXIS_H + 20) return;
    const plot = { w: w - AXIS_W, h: h - AXIS_H };
    const view = this.#view(plot);
    this.onHover(view.hovered ?? this.bars.at(-1) ?? null);
    if (!view.bars.length) return;
    g.save();
    g.beginPath();
    g.rect(0, 0, plot.w, h);
    g.clip();
    this.#grid(g, plot, view, color);
    this.#candles(g, plot, view, color);
    this.#marks(g, view, color);
    g.restore();
    this.#axis(g, plot, view, color);
    this.#lines(g, plot, view, color, w);
    if (this.#pointer && this.#pointer.x < plot.w && this.#pointer.y < plot.h) this.#cross(g, plot, view, color, w);
  }

  #view(plot) {
    const right = this.bars.length - this.#shift;
    const first = Math.max(0, Math.floor(right - plot.w / this.#step));
    const bars = this.bars.slice(first, Math.max(0, Math.ceil(right)));
    const x = (index) => plot.w - RIGHT_GAP - this.#step / 2 - (right - 1 - index) * this.#step;
    let low = Infinity;
    let high = -Infinity;
    for (const bar of bars) {
      low = Math.min(low, bar.low);
      high = Math.max(high, bar.high);
    }
    if (this.quote && this.#shift <= 0) {
      low = Math.min(low, this.quote.bid ?? low);
      high = Math.max(high, this.quote.ask ?? high);
    }
    const pad = (high - low) * 0.12 || 10 ** -this.digits * 10;
    low -= pad;
    high += pad;
    const y = (value) => ((high - value) / (high - low)) * plot.h;
    const value = (at) => high - (at / plot.h) * (high - low);
    const index = this.#pointer ? Math.round(right - 1 - (plot.w - RIGHT_GAP - this.#step / 2 - this.#pointer.x) / this.#step) : -1;
    return { first, bars, x, y, value, low, high, index, hovered: this.bars[index] ?? null };
  }

  #grid(g, plot, view, color) {
    g.strokeStyle = color("grid");
    g.lineWidth = 1;
    view.steps = [];
    const step = niceStep(view.high - view.low, plot.h / 52);
    for (let at = Math.ceil(view.low / step) * step; at < view.high; at += step) {
      view.steps.push(at);
      hair(g, 0, view.y(at), plot.w, view.y(at));
    }
    view.times = this.#times(view);
    for (const { x } of view.times) hair(g, x, 0, x, plot.h);
  }

  #times(view) {
    const found = [];
    const every = Math.max(1, Math.round(96 / this.#step));
    for (let i = view.first; i < view.first + view.bars.length; i += 1) {
      if (i % every) continue;
      const at = new Date(this.bars[i].time);
      const before = this.bars[i - every];
      const isNewDay = !before || new Date(before.time).toDateString() !== at.toDateString();
      const span = before ? this.bars[i].time - before.time : 0;
      const text = isNewDay || span >= DAY_MS
        ? at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })
        : at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
      found.push({ x: view.x(i), text });
    }
    return found;
  }

  #candles(g, plot, view, color) {
    const body = Math.max(1, Math.floor(this.#step * 0.7));
    const up = color("up");
    const down = color("down");
    view.bars.forEach((bar, i) => {
      const x = Math.round(view.x(view.first + i));
      g.fillStyle = bar.close >= bar.open ? up : down;
      const top = view.y(Math.max(bar.open, bar.close));
      const bottom = view.y(Math.min(bar.open, bar.close));
      g.fillRect(x, view.y(bar.high), 1, Math.max(1, view.y(bar.low) - view.y(bar.high)));
      g.fillRect(x - (body >> 1), top, body, Math.max(1, bottom - top));
    });
  }

  /** Triangles at the bars in which deals were made. */
  #marks(g, view, color) {
    const first = view.bars[0].time;
    const span = this.bars.length > 1 ? this.bars.at(-1).time - this.bars.at(-2).time : 60_000;
    for (const mark of this.marks) {
      if (mark.at < first || mark.at > view.bars.at(-1).time + span) continue;
      const i = view.bars.findLastIndex((bar) => bar.time <= mark.at);
      const x = view.x(view.first + i);
      const y = view.y(mark.price);
      const sign = mark.side === "buy" ? 1 : -1;
      g.fillStyle = color(mark.side === "buy" ? "up" : "down");
      g.strokeStyle = color("surface");
      g.beginPath();
      g.moveTo(x, y + 2 * sign);
      g.lineTo(x - 6, y + 12 * sign);
      g.lineTo(x + 6, y + 12 * sign);
      g.closePath();
      g.fill();
      g.stroke();
    }
  }

  #axis(g, plot, view, color) {
    g.fillStyle = color("muted");
    g.textAlign = "left";
    for (const at of view.steps) {
      const y = view.y(at);
      if (y > 8 && y < plot.h - 8) g.fillText(price(at, this.digits), plot.w + 8, y);
    }
    g.textAlign = "center";
    for (const { x, text } of view.times) if (x > 20 && x < plot.w - 20) g.fillText(text, x, plot.h + AXIS_H / 2 + 1);
    g.strokeStyle = color("line");
    hair(g, plot.w, 0, plot.w, plot.h);
    hair(g, 0, plot.h, plot.w, plot.h);
  }

  #lines(g, plot, view, color, w) {
    const quote = this.quote && this.#shift <= 0 ? [
      { price: this.quote.ask, color: "muted", text: "", dash: [2, 3], isBare: view.y(this.quote.bid) - view.y(this.quote.ask) < 19 },
      { price: this.quote.bid, color: "accent", text: "", dash: [] },
    ] : [];
    const seen = [...this.lines, ...quote].filter(({ price: at }) => at !== null && at !== undefined && at >= view.low && at <= view.high);
    for (const line of seen) {
      const y = view.y(line.price);
      g.strokeStyle = color(line.color);
      g.setLineDash(line.dash);
      hair(g, 0, y, plot.w, y);
      g.setLineDash([]);
      if (!line.isBare) tag(g, plot.w + 1, y, w - plot.w - 1, price(line.price, this.digits), color(line.color), color("on-accent"));
    }
    for (const line of seen) if (line.text) label(g, 8, view.y(line.price), line.text, color(line.color), color("surface"));
  }

  #cross(g, plot, view, color, w) {
    const { y } = this.#pointer;
    const x = view.hovered ? view.x(view.index) : this.#pointer.x;
    g.strokeStyle = color("muted");
    g.setLineDash([3, 3]);
    hair(g, x, 0, x, plot.h);
    hair(g, 0, y, plot.w, y);
    g.setLineDash([]);
    tag(g, plot.w + 1, y, w - plot.w - 1, price(view.value(y), this.digits), color("text"), color("surface"));
  }
}

function hair(g, x1, y1, x2, y2) {
  g.beginPath();
  g.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  g.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
  g.stroke();
}

function tag(g, x, y, w, text, back, front) {
  g.fillStyle = back;
  g.fillRect(x, Math.round(y) - 9, w, 18);
  g.fillStyle = front;
  g.textAlign = "left";
  g.fillText(text, x + 7, Math.round(y) + 0.5);
}

function label(g, x, y, text, color, back) {
  g.textAlign = "left";
  const width = g.measureText(text).width + 12;
  g.fillStyle = back;
  g.fillRect(x, Math.round(y) - 9, width, 18);
  g.strokeStyle = color;
  g.strokeRect(x + 0.5, Math.round(y) - 8.5, width, 17);
  g.fillStyle = color;
  g.fillText(text, x + 6, Math.round(y) + 0.5);
}

/** A line over time: equity, say. Points are {at, ...}; series name their field and colour. */
export class LineChart {
  points = [];
  constructor(canvas, series, text) {
    Object.assign(this, { canvas, series, text });
    sharp(canvas, () => this.draw());
  }

  show(points) {
    this.points = points;
    this.draw();
  }

  draw() {
    const { g, w, h, color } = paper(this.canvas);
    const points = this.points;
    if (points.length < 2 || w < 120 || h < 60) return;
    const plot = { w: w - AXIS_W - 6, h: h - AXIS_H };
    const values = points.flatMap((point) => this.series.map((s) => point[s.field]));
    let low = Math.min(...values);
    let high = Math.max(...values);
    const pad = (high - low) * 0.15 || Math.abs(high) * 0.0005 || 1;
    low -= pad;
    high += pad;
    const from = points[0].at;
    const span = points.at(-1).at - from || 1;
    const x = (at) => ((at - from) / span) * plot.w;
    const y = (value) => ((high - value) / (high - low)) * plot.h;
    this.#axes(g, plot, { low, high, from, span, x, y }, color);
    for (const { field, color: name, fill } of this.series) {
      g.strokeStyle = color(name);
      g.lineWidth = 1.75;
      g.lineJoin = "round";
      g.beginPath();
      points.forEach((point, i) => (i ? g.lineTo(x(point.at), y(point[field])) : g.moveTo(x(point.at), y(point[field]))));
      g.stroke();
      g.lineWidth = 1;
      if (!fill) continue;
      g.lineTo(plot.w, plot.h);
      g.lineTo(0, plot.h);
      g.globalAlpha = 0.1;
      g.fillStyle = color(name);
      g.fill();
      g.globalAlpha = 1;
    }
  }

  #axes(g, plot, { low, high, from, span, x, y }, color) {
    g.strokeStyle = color("grid");
    g.fillStyle = color("muted");
    g.textAlign = "left";
    const step = niceStep(high - low, plot.h / 44);
    for (let at = Math.ceil(low / step) * step; at < high; at += step) {
      hair(g, 0, y(at), plot.w, y(at));
      if (y(at) > 8) g.fillText(this.text(at), plot.w + 8, y(at));
    }
    g.textAlign = "center";
    for (let i = 1; i < 5; i += 1) {
      const at = from + (span * i) / 5;
      const form = span > 2 * DAY_MS ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", second: span < 600_000 ? "2-digit" : undefined };
      g.fillText(new Date(at).toLocaleString("en-GB", form), x(at), plot.h + AXIS_H / 2);
    }
  }
}
