"use strict";

// What changed of the live part of a page is fetched again and again, and the page made equal to it, node by node: focus,
// selection and the place on the page stay as they are. Without this script the page reloads itself.
const EVERY_MS = 2000;
const live = document.getElementById("live");
const connection = document.getElementById("connection");
let goneSince = null;
let timer = null;
let turn = 0;

function become(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "aria-busy" && name !== "open") old.removeAttribute(name);
  }
  makeEqual(old, fresh);
}

function makeEqual(old, fresh) {
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, place) => (place < before.length ? become(before[place], node) : old.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// Only nodes that stand elsewhere are moved; one that is moved would lose the focus.
function putInOrder(list, nodes) {
  const focused = document.activeElement;
  let next = list.firstElementChild;
  for (const node of nodes) {
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
  }
  if (document.activeElement !== focused) focused.focus({ preventScroll: true });
}

// Pieces by their ids, and the ids of each list that has another order.
function patch({ since, pieces, lists }) {
  const fresh = new Map(Object.entries(pieces).map(([id, html]) => [id, parsed(html).firstElementChild]));
  for (const [id, node] of fresh) {
    const old = document.getElementById(id);
    if (old) become(old, node);
  }
  for (const [id, order] of Object.entries(lists)) {
    const list = document.getElementById(id);
    const kept = new Set(order);
    [...list.children].forEach((node) => kept.has(node.id) || node.remove());
    putInOrder(list, order.map((key) => document.getElementById(key) ?? fresh.get(key)));
  }
  live.dataset.since = since;
  live.dispatchEvent(new CustomEvent("patched", { detail: lists }));
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

// By the server's clock: this machine's may be wrong.
function countOn(now) {
  for (const node of live.querySelectorAll("time.age")) {
    const seconds = (now - Date.parse(node.dateTime)) / 1000;
    const [size, unit] = UNITS.find(([size]) => Math.abs(seconds) >= size) ?? [];
    const distance = size && `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
    const text = !distance ? "now" : seconds > 0 ? `${distance} ago` : `in ${distance}`;
    if (node.textContent !== text) node.textContent = text;
  }
}

function say(text) {
  if (connection && connection.textContent !== text) connection.textContent = text;
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  if (!document.hidden) {
    try {
      const query = new URLSearchParams(location.search);
      query.set("since", live.dataset.since);
      const answer = await fetch(`${live.dataset.refresh}?${query}`, { headers: { Accept: "text/html" } });
      if (answer.redirected) return location.reload(); // the session is over
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      if (mine !== turn) return;
      if (answer.headers.has("X-Since")) {
        // The server was started anew.
        makeEqual(live, parsed(text));
        live.dataset.since = answer.headers.get("X-Since");
        live.dispatchEvent(new Event("replaced"));
      } else if (text) {
        patch(JSON.parse(text));
      }
      countOn(Date.parse(answer.headers.get("Date")));
      goneSince = null;
      say("Live");
    } catch (_) {
      if (mine !== turn) return;
      goneSince ??= new Date();
      say(`The server does not answer since ${goneSince.toLocaleTimeString()}; what you see is from then. Trying again.`);
    }
    connection?.classList.toggle("gone", goneSince !== null);
  }
  timer = setTimeout(refresh, EVERY_MS);
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-trigger]");
  if (!form) return;
  event.preventDefault();
  const button = event.submitter;
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  const said = document.getElementById("said");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "text/html", "X-Fragment": "1" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (answer.redirected) return location.reload();
    said.innerHTML = await answer.text();
  } catch (_) {
    said.textContent = "The server does not answer, so nothing is known of the cascade; look at the list before trying again.";
  } finally {
    button.removeAttribute("aria-busy");
  }
  if (live) refresh();
});

if (live?.dataset.refresh) {
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  timer = setTimeout(refresh, EVERY_MS);
}
