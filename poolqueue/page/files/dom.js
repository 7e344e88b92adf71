// Makes elements out of names and text. Nothing here, or anywhere, turns text into markup.

const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

export const h = (name, attributes, ...children) =>
  made(document.createElement(name), attributes, children);

export const svg = (name, attributes, ...children) =>
  made(document.createElementNS(SVG, name), attributes, children);

// Somebody else's text: what moves the cursor, turns the direction of writing or cannot be seen is spelt out.
export const shown = (text) =>
  String(text ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (sign) => "\\u" + sign.codePointAt(0).toString(16).padStart(4, "0"));

// Makes the children of `parent` what `children` are, and keeps every element that stays: with its focus, its
// selection, and whether it is open. Elements are the same if they have the same key, or the same place.
export function update(parent, ...children) {
  const wanted = document.createDocumentFragment();
  append(wanted, children);
  morphChildren(parent, wanted);
}

const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function morphChildren(old, wanted) {
  const byKey = new Map();
  for (const child of old.childNodes) if (keyOf(child) !== null) byKey.set(keyOf(child), child);
  let at = old.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = keyOf(child);
    let match = key === null ? at : byKey.get(key);
    if (match && !alike(match, child)) match = null;
    if (!match) {
      old.insertBefore(child, at);
      continue;
    }
    if (match !== at) old.insertBefore(match, at);
    else at = at.nextSibling;
    morph(match, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function morph(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!wanted.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.nodeName === "SELECT") {
    if (old === document.activeElement) return;
    morphChildren(old, wanted);
    old.value = wanted.value;
    return;
  }
  if (old.hasAttribute("data-drawn")) return; // its own drawer sees to it
  morphChildren(old, wanted);
}
