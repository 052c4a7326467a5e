// Elements without HTML: whatever a terminal calls its symbols becomes a text node.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element. Attributes that begin with "on" are listeners; false and null leave one out. */
export function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === false || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== "list" && key !== "form") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Return an icon: one path on a grid of 24. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** Set a text, only where it differs: an unchanged page is not laid out anew. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or remove a class by a condition. */
export function mark(node, name, is) {
  if (node.classList.contains(name) !== Boolean(is)) node.classList.toggle(name, Boolean(is));
}

/**
 * A list of rows that are kept by key: a row that stays is never made anew nor moved without need,
 * so that focus and selection outlive each change.
 */
export class Rows {
  constructor(parent, keyOf, make, update) {
    Object.assign(this, { parent, keyOf, make, update });
    this.rows = new Map();
  }

  show(items) {
    const wanted = new Map(items.map((item) => [String(this.keyOf(item)), item]));
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        const next = row.node.nextElementSibling ?? row.node.previousElementSibling;
        const hadFocus = row.node.contains(document.activeElement);
        row.node.remove();
        this.rows.delete(key);
        // who worked with the keyboard goes on at the neighbour, not at the top of the page
        if (hadFocus) (next?.querySelector("button, [tabindex]") ?? this.parent.closest("[tabindex]"))?.focus();
      }
    }
    let place = this.parent.firstElementChild;
    for (const [key, item] of wanted) {
      let row = this.rows.get(key);
      if (!row) {
        row = this.make(item);
        row.node.dataset.key = key;
        this.rows.set(key, row);
      }
      if (row.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.node, place);
      this.update(row, item);
    }
  }
}

/** A table whose cells become labelled lines on a narrow screen. */
export class Table {
  constructor(columns, { label, empty, keyOf, rowClass = () => "", max = 500 }) {
    this.columns = columns;
    this.max = max;
    const heads = columns.map((c) => el("th", { scope: "col", className: c.kind ?? "" },
      c.name || el("span.sr", {}, c.spoken)));
    this.body = el("tbody");
    this.empty = el("p.empty", {}, empty);
    this.node = el("div.table", { tabIndex: 0, role: "region", ariaLabel: label },
      el("table", {}, el("thead", {}, el("tr", {}, heads)), this.body), this.empty);
    this.rows = new Rows(this.body, keyOf, (item) => this.#make(item), (row, item) => {
      row.item = item;
      const wanted = rowClass(item);
      if (row.node.className !== wanted) row.node.className = wanted;
      columns.forEach((c, i) => c.set ? c.set(row.cells[i], item, row) : say(row.cells[i], c.text(item)));
    });
  }

  #make(item) {
    const row = { item, cells: [] };
    row.cells = this.columns.map((c) => {
      const cell = el("td", { className: c.kind ?? "" });
      cell.dataset.label = c.name;
      c.fill?.(cell, () => row.item);
      return cell;
    });
    row.node = el("tr", {}, row.cells);
    return row;
  }

  show(items) {
    this.rows.show(items.slice(0, this.max));
    this.empty.hidden = items.length > 0;
  }
}

/** Run work once in the next frame, however often it is asked for. */
export function inFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
