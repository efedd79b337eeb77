"use strict";

// The dashboard's table of charts: what the form above it asks for is shown, without asking the server, and stands in the
// address of the page. Every row carries what it is found and ordered by; a change that was fetched is put into its place.
const choice = document.getElementById("choice");
const rows = document.getElementById("rows");
const shown = document.getElementById("shown");

// The ids of the rows as in charts.yaml.
const listed = () => rows.dataset.order?.split(" ") ?? [...rows.children].map((row) => row.id);
let order = listed();

function chosen() {
  return Object.fromEntries([...new FormData(choice)].map(([name, value]) => [name, value.trim()]));
}

const plainLetters = { ł: "l", ø: "o", đ: "d", ð: "d", æ: "ae", œ: "oe", þ: "th", ς: "σ" };

// As `folded` of the server, by which the rows' own words are written: without case, accents and how letters are composed.
function folded(text) {
  const words = text.trim().replace(/\s+/g, " ");
  const spread = words.normalize("NFKD").toLowerCase().toUpperCase().toLowerCase().normalize("NFKD");
  // Whatever is a mark on a letter steps before this one, which is the last of all marks.
  const bare = [...spread].filter((letter) => `\u0345${letter}`.normalize("NFD").startsWith("\u0345"));
  const plain = bare.map((letter) => plainLetters[letter] ?? letter).join("");
  return plain.trim().replace(/\s+/g, " ") || words;
}

function compared(column, sign) {
  return ([, one], [, other]) => {
    const [a, b] = [one[column], other[column]];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * ((a > b) - (a < b));
  };
}

function arrange() {
  const { q, status, sort } = chosen();
  const words = folded(q).split(" ");
  const place = [...choice.elements.status.options].findIndex((option) => option.value === status) - 1;
  const all = order.map((id) => [document.getElementById(id), JSON.parse(document.getElementById(id).dataset.facts)]);
  if (sort) all.sort(compared(sort.replace("-", ""), sort.startsWith("-") ? -1 : 1));
  let count = 0;
  for (const [row, facts] of all) {
    row.hidden = (status && facts.status !== place) || !words.every((word) => facts.words.includes(word));
    count += !row.hidden;
  }
  putInOrder(rows, all.map(([row]) => row));
  const told = q || status ? `${count} of ${all.length} shown` : "";
  if (shown.textContent !== told) shown.textContent = told;
  for (const heading of document.querySelectorAll("th[data-sort]")) {
    const column = heading.dataset.sort;
    heading.ariaSort = { [column]: "ascending", [`-${column}`]: "descending" }[sort] ?? "none";
  }
}

function writeAddress() {
  const address = new URL(location);
  for (const [name, value] of Object.entries(chosen())) {
    address.searchParams.delete(name);
    if (value) address.searchParams.append(name, value);
  }
  history.replaceState(null, "", address);
}

let pause = null;

function choose() {
  arrange();
  clearTimeout(pause);
  // Not at every letter: browsers limit how often, and fetch the page's icon again.
  pause = setTimeout(writeAddress, 300);
}

choice.addEventListener("input", choose);
choice.addEventListener("submit", (event) => event.preventDefault());
live.addEventListener("click", (event) => {
  const heading = event.target.closest("th[data-sort] a")?.closest("th");
  if (!heading || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const column = heading.dataset.sort;
  choice.elements.sort.value = { ascending: `-${column}`, descending: "" }[heading.ariaSort] ?? column;
  choose();
});
live.addEventListener("patched", ({ detail }) => {
  order = detail.rows ?? order;
  arrange();
});
live.addEventListener("replaced", () => {
  order = listed();
  arrange();
});
// A browser that comes back to the page fills the form again with what was in it.
window.addEventListener("pageshow", arrange);
