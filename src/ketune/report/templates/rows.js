// A table of many rows: sorted by a click on a column's head, filtered by words and by one column, a hundred rows at a
// time. A link to "#rows=WORDS" on the page fills in the words.
"use strict";
(() => {
  const PAGE = 100;
  const { columns, values, links, chosen } = JSON.parse(document.getElementById("data").textContent);
  const live = document.querySelector(".live");
  const [head, body, found] = ["thead tr", "tbody", ".found"].map((s) => live.querySelector(s));
  const [earlier, later] = [".earlier", ".later"].map((s) => live.querySelector(s));
  const [text, choice] = ["text", "choice"].map((id) => document.getElementById(id));
  const choosable = values[columns.findIndex((c) => c.key === chosen)];
  const words = links.map((_, i) =>
    columns.map((c, k) => (c.numeric ? "" : values[k][i] ?? "")).join(" ").toLowerCase());
  let rows = links.map((_, i) => i), by = null, falling = false, first = 0;

  const shown = (value, column) => {
    if (value === null) return "–";
    return column.numeric ? String(Number(value.toPrecision(3))).replace("-", "−") : value.replaceAll("_", " ");
  };

  // Rows without a value come last either way.
  const order = (i, j) => {
    const [a, b] = [values[by][i], values[by][j]];
    if (a === null || b === null) return (a === null) - (b === null) || i - j;
    const rising = columns[by].numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return (falling ? -rising : rising) || i - j;
  };

  const choose = () => {
    const wanted = text.value.trim().toLowerCase().split(/\s+/);
    rows = links.map((_, i) => i).filter((i) =>
      (!choice.value || choosable[i] === choice.value) && wanted.every((word) => words[i].includes(word)));
    if (by !== null) rows.sort(order);
    first = 0;
    draw();
  };

  const draw = () => {
    [...head.children].forEach((th, k) =>
      th.setAttribute("aria-sort", k !== by ? "none" : falling ? "descending" : "ascending"));
    body.replaceChildren(...rows.slice(first, first + PAGE).map((i) => {
      const tr = document.createElement("tr");
      tr.append(...columns.map((column, k) => {
        const cell = document.createElement(k ? "td" : "th");
        if (k) cell.className = column.numeric ? "num" : "";
        else cell.scope = "row";
        const place = k ? cell : cell.appendChild(Object.assign(document.createElement("a"), { href: links[i] }));
        place.textContent = shown(values[k][i], column);
        return cell;
      }));
      return tr;
    }));
    const last = Math.min(first + PAGE, rows.length);
    found.textContent = rows.length
      ? `Rows ${first + 1} to ${last} of ${rows.length}` + (rows.length < links.length ? ` (${links.length} without the filter)` : "")
      : "No row matches.";
    earlier.disabled = first === 0;
    later.disabled = last >= rows.length;
  };

  const follow = () => {
    const wanted = new URLSearchParams(location.hash.slice(1)).get("rows");
    if (wanted === null) return;
    [text.value, choice.value] = [wanted, ""];
    choose();
    live.scrollIntoView();
  };

  head.append(...columns.map((column, k) => {
    const th = Object.assign(document.createElement("th"), { scope: "col", className: column.numeric ? "num" : "" });
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: column.title });
    button.addEventListener("click", () => {
      falling = by === k && !falling;
      by = k;
      choose();
    });
    th.append(button);
    return th;
  }));
  text.addEventListener("input", choose);
  choice.addEventListener("change", choose);
  addEventListener("hashchange", follow);
  // The same link again changes nothing in the address, though the words may be others by now.
  body.addEventListener("click", (event) => { if (event.target.hash === location.hash) follow(); });
  live.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  earlier.addEventListener("click", () => { first -= PAGE; draw(); });
  later.addEventListener("click", () => { first += PAGE; draw(); });
  live.hidden = false;
  draw();
  follow();
})();
