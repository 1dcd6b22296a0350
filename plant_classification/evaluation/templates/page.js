"use strict";
// A click on a heading sorts its table, and a long table can be searched. Without scripts all is there, unsorted.
for (const box of document.querySelectorAll(".table")) {
  const table = box.querySelector("table");
  const bodies = [...table.tBodies], headings = [...table.tHead.rows[0].cells];
  const rows = bodies.flatMap(body => [...body.rows]), atOnce = bodies[0].rows.length;

  headings.forEach((heading, column) => {
    const numeric = heading.classList.contains("n");
    const text = row => row.cells[column].textContent.trim();
    const number = row => { const value = parseFloat(text(row).replace(/,/g, "")); return isNaN(value) ? -1 : value; };
    const compare = numeric ? (a, b) => a - b : new Intl.Collator("en").compare;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.onclick = () => {
      const before = heading.getAttribute("aria-sort");
      const up = before ? before === "descending" : !numeric;
      const keyed = rows.map(row => [numeric ? number(row) : text(row), row]);
      keyed.sort((a, b) => up ? compare(a[0], b[0]) : compare(b[0], a[0]));
      const sorted = keyed.map(pair => pair[1]);
      bodies.forEach((body, index) => body.append(...(index ? sorted.slice(atOnce) : sorted.slice(0, atOnce))));
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    };
    heading.append(button);
  });

  if (rows.length > 20) {
    const tools = document.createElement("div"), search = document.createElement("input");
    tools.className = "tools";
    search.type = "search";
    search.placeholder = "Search";
    search.setAttribute("aria-label", "Search this table");
    search.oninput = () => {
      const words = search.value.toLowerCase().trim();
      box.classList.toggle("searched", words !== "");
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(words);
    };
    tools.append(search, ...box.querySelectorAll(".unfold"));
    box.prepend(tools);
  }
}
