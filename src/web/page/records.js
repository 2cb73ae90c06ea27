// The table of who has what: filtered as you type, and on a peer with a button that downloads.

import { byId, count, make, plural, say } from './dom.js';
import { Catalog } from './catalog.js';
import { List } from './list.js';

// Between two drawings while records come in.
const PAUSE = 200;
// So many names at most fit into a row, and into its tooltip.
const NAMES = 4;
const FEW = 10;
const MOST_NAMES = 100;

export class Records {
  catalog = new Catalog();
  #list;
  #filter = byId('records-filter');
  #search = 0;
  #timer = null;
  #offer = null;
  /** What is said where there are none. */
  none = 'No records yet.';

  constructor() {
    const table = byId('records');
    table.setAttribute('role', 'table');
    table.setAttribute('aria-labelledby', 'records-title');
    const heads = ['Number', 'Title', 'Holders'].map((text) => make('span', { role: 'columnheader' }, text));
    const scroller = make('div', { class: 'scroller', role: 'rowgroup', tabindex: 0, 'aria-label': 'Records' });
    table.append(
      make('div', { role: 'rowgroup', class: 'header' }, make('div', { class: 'row', role: 'row' }, ...heads)),
      scroller,
      make('p', { class: 'empty' }),
    );
    this.#list = new List(scroller, { newRow, fillRow: (row, group, index) => this.#fill(row, group, index) });
    this.#filter.addEventListener('input', () => this.#show());
  }

  /** Gives each row a button or a link: `make(number)`, again when `state(number)` changes. */
  offer(make, state) {
    this.#offer = { make, state };
    byId('records').classList.add('offers');
  }

  /** Draws what has changed, soon. */
  changed() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#show();
    }, PAUSE);
  }

  resize() {
    this.#list.resize();
  }

  async #show() {
    this.#search += 1;
    const mine = this.#search;
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = this.catalog.sorted();
    const found = words.length ? await this.catalog.search(words, () => mine !== this.#search) : all;
    if (!found) return;
    this.#list.show(found);
    // A peer's page has a search already.
    this.#filter.hidden = this.#offer !== null && all.length <= FEW && words.length === 0;
    byId('records').setAttribute('aria-rowcount', found.length + 1);
    say(byId('records-count'), words.length ? `${count(found.length)} of ${plural(all.length, 'document')}`
      : `${plural(all.length, 'document')}, ${plural(this.catalog.records, 'record')}`);
    say(byId('records').querySelector('.empty'), found.length ? '' : words.length ? 'Nothing matches.' : this.none);
  }

  #fill(row, group, index) {
    const [number, title, holders, last] = row.children;
    row.setAttribute('aria-rowindex', index + 2);
    say(number, String(group.number));
    say(title, group.title);
    title.title = group.title;
    const { size } = group.holders;
    const state = `${size} ${this.#offer?.state(group.number)} ${group.key}`;
    if (row.dataset.state === state) return;
    row.dataset.state = state;
    const names = [...firsts(group.holders, MOST_NAMES)];
    const shown = names.slice(0, NAMES).map((name) => make('span', { class: 'holder' }, name));
    holders.replaceChildren(make('span', { class: 'count' }, count(size)), ...shown);
    holders.title = names.join('\n');
    last.hidden = !this.#offer;
    if (this.#offer) last.replaceChildren(this.#offer.make(group.number));
  }
}

function newRow() {
  const cell = (name) => make('span', { role: 'cell', class: name });
  return make('div', { class: 'row', role: 'row' }, cell('number'), cell('title'), cell('holders'), cell('act'));
}

function* firsts(all, n) {
  for (const one of all) {
    if (n === 0) return;
    n -= 1;
    yield one;
  }
}
