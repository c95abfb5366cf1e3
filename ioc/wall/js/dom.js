// Builds and updates elements without innerHTML, so that no label from outside can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An HTML element: `h("button", {class: "x", onclick: f}, "text")`. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Writes only on change: 1 Hz updates must not dirty the layout of a wall that shows the same text. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Writes a time or a number that changes each second, one cell of fixed width per character: the face has no tabular
 * figures, and a "1" half as wide as a "4" would move everything beside it with every tick.
 */
export function setFigures(node, text) {
  placeInOrder(node, Array.from(text, (character, index) => {
    const cell = node.children[index] ?? h("span", { class: "figure" });
    setText(cell, character);
    setAttribute(cell, "data-narrow", character === ":" ? "" : null);
    return cell;
  }));
}

export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Puts `nodes` into `parent` in this order, moving only those out of place. */
export function placeInOrder(parent, nodes) {
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}
