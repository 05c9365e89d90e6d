"use strict";
document.documentElement.classList.add("js");

// Tables: a click on a heading sorts by its column, another one turns the order. Numbers begin with the highest and are
// compared in full precision; what is missing stays at the end. Equal rows keep their order.
function keyOf(cell) {
  const text = cell.textContent.trim();
  if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
  if (text === "" || text === "–") return null;
  return /^-?\d+(\.\d+)?( s)?$/.test(text) ? parseFloat(text) : text;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sortBy(table, column) {
  const head = table.tHead.rows[0].cells[column], body = table.tBodies[0];
  const rows = [...body.rows].map(row => ({ row, key: keyOf(row.cells[column]) }));
  const numbers = rows.some(r => typeof r.key === "number");
  const before = head.getAttribute("aria-sort");
  const order = before === "ascending" ? "descending" : before === "descending" ? "ascending" : numbers ? "descending" : "ascending";
  const sign = order === "ascending" ? 1 : -1;
  rows.sort((a, b) => (a.key === null) - (b.key === null) || (a.key === null ? 0 : sign * compare(a.key, b.key)));
  for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  body.append(...rows.map(r => r.row));
}

for (const table of document.querySelectorAll("table.sortable"))
  table.tHead.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button) sortBy(table, button.closest("th").cellIndex);
  });

// Samples: one bar says for all of them what is shown, in which order, and which ones.
const bar = document.querySelector("form.bar");

// score is the IoU of a method in a sample, or the mean of all; null where there is none.
function score(sample, method) {
  const seen = new Map();
  for (const f of sample.querySelectorAll("figure[data-v]")) seen.set(f.dataset.m, Number(f.dataset.v));
  if (method) return seen.has(method) ? seen.get(method) : null;
  return seen.size ? [...seen.values()].reduce((a, b) => a + b) / seen.size : null;
}

function gain(sample, method, baseline) {
  const a = score(sample, method), b = score(sample, baseline);
  return a === null || b === null ? null : a - b;
}

function show() {
  const now = Object.fromEntries(new FormData(bar));
  let kept = 0, all = 0;
  for (const set of document.querySelectorAll(".samples")) {
    const samples = [...set.querySelectorAll(".sample")];
    for (const [i, s] of samples.entries()) s.dataset.i ??= i;
    const key = s => now.s.endsWith("iou") ? score(s, now.m) : now.s.endsWith("gain") ? gain(s, now.m, now.b) : -s.dataset.i;
    const sign = now.s && !now.s.startsWith("-") ? 1 : -1;
    const keys = new Map(samples.map(s => [s, key(s)]));
    samples.sort((a, b) => (keys.get(a) === null) - (keys.get(b) === null) || sign * (keys.get(a) - keys.get(b)) || a.dataset.i - b.dataset.i);
    set.append(...samples);
    for (const s of samples) {
      const iou = score(s, now.m), low = Number(now.low) / 100, high = Number(now.high) / 100;
      const free = low <= 0 && high >= 1;
      s.hidden = Boolean(now.c) && !s.dataset.c.split("|").includes(now.c) || !free && (iou === null || iou < low || iou > high);
      all++;
      kept += !s.hidden;
      let on = 0;
      const views = [...s.querySelectorAll("figure[data-m]")], kinds = views.map(f => f.dataset.k);
      const kind = kinds.includes(now.k) ? now.k : kinds[0]; // tasks without label maps have similarity alone
      for (const f of views) {
        const is = f.dataset.k === kind && (!now.m || f.dataset.m === now.m);
        f.classList.toggle("on", is);
        on += is;
      }
      s.querySelector(".views").classList.toggle("one", Boolean(now.m));
      const none = s.querySelector(".none");
      none.hidden = on > 0;
      none.textContent = (now.m ? now.m + ", " : "") + now.k + ": none";
    }
  }
  bar.querySelector("output").textContent = kept + " of " + all + " samples";
}

if (bar) {
  bar.addEventListener("input", show);
  bar.addEventListener("submit", event => event.preventDefault());
  show();
}
