"use strict";
const root = document.documentElement, button = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
function theme() { return root.dataset.theme || (dark.matches ? "dark" : "light"); }
function tell() { button.textContent = theme() === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", "Change to the " + button.textContent.toLowerCase() + " theme"); }
try { const kept = localStorage.getItem("theme"); if (kept === "dark" || kept === "light") root.dataset.theme = kept; } catch (error) { /* a page of a file may have no storage */ }
button.hidden = false;
button.addEventListener("click", () => {
  root.dataset.theme = theme() === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch (error) { /* as above */ }
  tell();
});
dark.addEventListener("change", tell);
tell();

const order = new Intl.Collator("en", { numeric: true });
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, place) => {
    const press = document.createElement("button");
    press.type = "button";
    press.append(...head.childNodes);
    head.append(press);
    head.setAttribute("aria-sort", "none");
    press.addEventListener("click", () => {
      const number = head.classList.contains("number"), up = head.getAttribute("aria-sort") === "ascending" || (number && head.getAttribute("aria-sort") === "none");
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "descending" : "ascending");
      const key = row => number ? row.cells[place].dataset.key : row.cells[place].textContent;
      const sorted = [...body.rows].sort((one, other) => {
        const a = key(one), b = key(other);
        if (number && (a === "" || b === "")) return (a === "") - (b === "");
        const by = number ? a - b : order.compare(a, b);
        return up ? -by : by;
      });
      body.append(...sorted);
    });
  });
}
const links = new Map([...document.querySelectorAll("nav a")].map(link => [link.hash.slice(1), link]));
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    const link = links.get(entry.target.id);
    if (link) link.setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -70% 0px" });
for (const heading of document.querySelectorAll("h2[id]")) seen.observe(heading);
