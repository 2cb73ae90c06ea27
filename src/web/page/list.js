// A list of any length of which only the rows in sight exist. All rows have the same height, which
// the style sheet sets as --row.

import { make } from './dom.js';

const BEYOND = 6;

export class List {
  #scroller;
  #body;
  #rows = new Map();
  #spare = [];
  #newRow;
  #fillRow;
  #height = 0;
  #due = false;
  items = [];

  /** `newRow()` makes an element, `fillRow(row, item, index)` shows an item in it. */
  constructor(scroller, { newRow, fillRow }) {
    this.#newRow = newRow;
    this.#fillRow = fillRow;
    this.#body = make('div', { class: 'rows', role: 'presentation' });
    this.#scroller = scroller;
    scroller.append(this.#body);
    scroller.addEventListener('scroll', () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(scroller);
  }

  /** Shows these items. */
  show(items) {
    this.items = items;
    this.refresh();
  }

  /** Draws again before the next frame, however often it is called until then. */
  refresh() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  /** Measures rows again, after the size of text has changed. */
  resize() {
    this.#height = 0;
    this.#measure();
  }

  get isAtEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return scrollTop + clientHeight >= scrollHeight - this.#height;
  }

  scrollToEnd() {
    this.#draw();
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Keeps in place what is in sight, after `n` items before it have gone. */
  scrollUp(n) {
    this.#scroller.scrollTop -= n * this.#height;
  }

  scrollTo(index) {
    const top = index * this.#height;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) {
      this.#scroller.scrollTop = top + this.#height - clientHeight;
    }
    this.#draw();
  }

  #measure() {
    const probe = make('div', { class: 'row' });
    this.#body.append(probe);
    const height = probe.offsetHeight;
    probe.remove();
    if (height && height !== this.#height) {
      this.#height = height;
      for (const row of this.#rows.values()) row.remove();
      this.#rows.clear();
    }
    this.refresh();
  }

  #draw() {
    if (!this.#height) return;
    this.#body.style.height = `${this.items.length * this.#height}px`;
    const { scrollTop, clientHeight } = this.#scroller;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - BEYOND);
    const end = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / this.#height) + BEYOND);
    for (const [index, row] of this.#rows) {
      if (index >= first && index < end) continue;
      this.#rows.delete(index);
      // A row with the focus would lose it by moving elsewhere.
      if (row.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
      row.remove();
      this.#spare.push(row);
    }
    // The order of the elements is that of the items, for the keyboard and for screen readers.
    let before = null;
    for (let index = first; index < end; index += 1) {
      let row = this.#rows.get(index);
      if (!row) {
        row = this.#spare.pop() ?? this.#newRow();
        row.style.transform = `translateY(${index * this.#height}px)`;
        this.#rows.set(index, row);
        if (before) before.after(row);
        else this.#body.prepend(row);
      }
      before = row;
      this.#fillRow(row, this.items[index], index);
    }
  }
}
