// Tables that stay tables for a screen reader when a narrow window shows their rows one below the other.

import { h } from "./dom.js";

export function table({ caption, columns, rows, label }) {
  return h("table", { class: "cards", role: "table", "aria-label": label ?? null },
    caption && h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      columns.map((column) => h("th", { scope: "col", role: "columnheader", class: column.class ?? null }, column.name)))),
    h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row", "data-key": row.key },
      row.cells.map((cell, at) => h(at === row.head ? "th" : "td", {
        role: at === row.head ? "rowheader" : "cell",
        scope: at === row.head ? "row" : null,
        class: columns[at].class ?? null,
        "data-label": columns[at].name,
      }, h("div", null, cell)))))));
}
