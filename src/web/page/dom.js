// Elements, and values as people read them. Text from strangers becomes text nodes only: nothing
// here, or anywhere on this page, parses it as HTML.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** An HTML element. `on…` properties are listeners, other ones attributes; false leaves one out. */
export function make(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function draw(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Sets the text only where it changes, because every write costs a layout. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const count = (n) => n.toLocaleString('en-US');

const compact = new Intl.NumberFormat('en-US', { notation: 'compact' });

/** In a few characters: 12k. */
export const short = (n) => compact.format(n).toLowerCase();

export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let unit = -1;
  do {
    bytes /= 1000;
    unit += 1;
  } while (bytes >= 999.5 && unit < units.length - 1);
  return `${bytes.toFixed(bytes < 9.95 ? 1 : 0)} ${units[unit]}`;
}

const two = (n) => String(n).padStart(2, '0');

/** Time of day, with milliseconds. */
export function clock(unixMs) {
  const at = new Date(unixMs);
  const second = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${second}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

export const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** Lets the browser draw and take input before the rest of a long job. */
export function breathe() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
