/* What a page looks like to somebody who cannot see it well: problems, as a list of sentences. */
() => {
  const problems = [];
  const shown = (e) => e.checkVisibility({ checkVisibilityCSS: true });

  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (shown(field) && !field.labels.length) problems.push(`no label: ${field.name}`);
  }
  for (const e of document.querySelectorAll("a, button")) {
    if (shown(e) && !e.textContent.trim()) problems.push(`no text: ${e.outerHTML}`);
  }
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    const ids = `${e.getAttribute("aria-describedby") ?? ""} ${e.getAttribute("aria-labelledby") ?? ""}`;
    for (const id of ids.trim().split(/\s+/)) {
      if (!document.getElementById(id)) problems.push(`nothing has the id ${id}`);
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) problems.push("an id twice");

  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((e) => Number(e.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) problems.push(`h1: ${levels}`);
  levels.forEach((level, i) => {
    if (i && level > levels[i - 1] + 1) problems.push(`a heading is skipped: ${levels}`);
  });
  for (const landmark of ["main", "header", "footer"]) {
    if (document.querySelectorAll(`body > ${landmark}`).length !== 1) problems.push(landmark);
  }
  if (!document.documentElement.lang || !document.title) problems.push("no language or title");
  const first = document.querySelector("a");
  if (first.getAttribute("href") !== "#main" || !document.querySelector("#main")) {
    problems.push("no way past the navigation");
  }

  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a),
    g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a),
    a: 1,
  });
  const behind = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => {
      const c = v / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, two) => {
    const [high, low] = [luminance(one), luminance(two)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !shown(e)) continue;
    const style = getComputedStyle(e);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ground = behind(e);
    const ratio = contrast(over(parse(style.color), ground), ground);
    if (ratio < (large ? 3 : 4.5)) {
      problems.push(`contrast ${ratio.toFixed(2)}: ${e.textContent.trim().slice(0, 40)}`);
    }
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select")) {
    if (!shown(e)) continue;
    const ratio = contrast(parse(getComputedStyle(e).borderTopColor), behind(e.parentElement));
    if (ratio < 3 && !["radio", "checkbox"].includes(e.type)) problems.push(`border ${ratio.toFixed(2)}: ${e.name}`);
  }
  for (const e of document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")) {
    const box = e.getBoundingClientRect();
    const inline = e.tagName === "A" && getComputedStyle(e).display === "inline";
    const inLabel = e.closest("label");
    if (shown(e) && !inline && !inLabel && !e.matches(".skip") && box.height < 24) {
      problems.push(`only ${box.height} pixels high: ${e.textContent.trim() || e.name}`);
    }
  }
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) problems.push(`${wide} pixels too wide`);
  return problems;
}
