// Numbers and times as people read them. A price always has all digits of its symbol.

const NONE = "–";

/** Digits are null while nobody has told them: a price with too few would be a wrong one. */
export const price = (value, digits) =>
  value === null || value === undefined ? NONE : digits === null || digits === undefined ? "…" : value.toFixed(digits);

export const money = (value, digits = 2) =>
  value === null || value === undefined
    ? NONE
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** With a sign: a colour alone tells nothing to many. */
export const signed = (value, digits = 2) =>
  value === null || value === undefined
    ? NONE
    : (value > 0 ? "+" : value < 0 ? "−" : "") + money(Math.abs(value), digits);

/** Lots with the digits of the symbol's step, at least two. */
export function lots(value, step = 0.01) {
  if (value === null || value === undefined) return NONE;
  const places = Math.max(2, decimals(step));
  return value.toFixed(places);
}

export function decimals(step) {
  const text = String(step);
  const exponent = /e-(\d+)$/.exec(text);
  if (exponent) return Number(exponent[1]);
  return (text.split(".")[1] ?? "").length;
}

export const ms = (value) =>
  value === null || value === undefined ? NONE : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

export const words = (name) => String(name ?? "").replaceAll("_", " ");

const STAMP = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});

const OFFSET = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" });

/** The zone of all times that are shown. */
export const zone = (at = Date.now()) =>
  OFFSET.formatToParts(at).find((part) => part.type === "timeZoneName")?.value.replace("GMT", "UTC") ?? "UTC";

/** Date and time, 24 hours; the zone stands beside. */
export const stamp = (at) => (at ? STAMP.format(at) : NONE);

export const stampWithZone = (at) => (at ? `${STAMP.format(at)} ${zone(at)}` : NONE);

export const clock = (at) => STAMP.format(at).slice(11);

export function age(span) {
  const seconds = Math.max(0, Math.round(span / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
