// Elements made and changed without ever parsing text as HTML.

import { UNKNOWN } from "./words.js";

/** An element: h("p", { class: "x", onclick: f }, "text", child, …). Properties that are null are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

/** Changes a text only where it is another: a screen reader repeats what is written again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** Keeps one child for each item, by key, in order. `make(item)` gives an element, `fill(element, item)` brings it up to date. */
export function keyed(parent, items, key, make, fill) {
  const children = new Map([...parent.children].map((c) => [c.dataset.key, c]));
  let place = 0;
  for (const item of items) {
    const name = String(key(item));
    let child = children.get(name);
    if (child) children.delete(name);
    else {
      child = make(item);
      child.dataset.key = name;
    }
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
    fill(child, item);
    place += 1;
  }
  for (const child of children.values()) child.remove();
}

/** A table's body from rows of texts; a cell may be { text, class, label }. */
export function fillRows(body, rows) {
  keyed(
    body,
    rows,
    (row) => row.key,
    (row) => h("tr", {}, row.cells.map((cell, k) => h(k === 0 ? "th" : "td", k === 0 ? { scope: "row" } : {}))),
    (element, row) => {
      row.cells.forEach((cell, k) => {
        const given = typeof cell === "object" && cell !== null ? cell : { text: cell };
        const target = element.children[k];
        setText(target, given.text);
        setAttribute(target, "class", given.class ?? (given.text === UNKNOWN ? "muted" : null));
        setAttribute(target, "title", given.title);
      });
    },
  );
}

export const byId = (id) => document.getElementById(id);
