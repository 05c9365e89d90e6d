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

// Samples: buttons choose the method and what is shown of it; the arrow keys step through them.
for (const sample of document.querySelectorAll(".sample")) {
  const groups = { m: [...sample.querySelectorAll("button[data-m]")], k: [...sample.querySelectorAll("button[data-k]")] };
  const views = [...sample.querySelectorAll(".flip figure")], none = sample.querySelector(".none");
  const now = { m: groups.m[0]?.dataset.m, k: groups.k[0]?.dataset.k };
  const show = () => {
    const shown = views.filter(v => v.dataset.m === now.m && v.dataset.k === now.k);
    for (const view of views) view.classList.toggle("on", shown.includes(view));
    none.hidden = shown.length > 0;
    none.textContent = now.m + ", " + now.k + ": none";
    for (const part of ["m", "k"])
      for (const button of groups[part]) button.setAttribute("aria-pressed", String(button.dataset[part] === now[part]));
  };
  const step = (part, by) => {
    const list = groups[part], at = list.findIndex(b => b.dataset[part] === now[part]);
    if (list.length) {
      now[part] = list[(at + by + list.length) % list.length].dataset[part];
      show();
    }
  };
  sample.addEventListener("click", event => {
    const button = event.target.closest(".switch button");
    if (!button) return;
    const part = button.dataset.m !== undefined ? "m" : "k";
    now[part] = button.dataset[part];
    show();
  });
  sample.addEventListener("keydown", event => {
    const move = { ArrowRight: ["m", 1], ArrowLeft: ["m", -1], ArrowDown: ["k", 1], ArrowUp: ["k", -1] }[event.key];
    if (!move || !event.target.closest(".switch")) return;
    event.preventDefault();
    step(...move);
  });
  show();
}
