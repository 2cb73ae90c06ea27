// What only a peer's page has: its folder, its transfers, and asking who has what.

import { byId, count, make, plural, say, size } from './dom.js';
import { List } from './list.js';
import { act, hasToken, linksWork, read, readBlob } from './connection.js';

const MOST_TRANSFERS = 6;
// By then a tab has loaded its document.
const OPENED = 60_000;

export class Sharing {
  #records;
  #tell;
  #reload;
  #list;
  #transfers = new Map();
  #numbers = new Set();
  /** Whether the table shows what was found, and not the whole index. */
  isSearching = false;

  /** `tell(text, isError)` shows a notice, `reload()` loads the table of records. */
  constructor({ records, tell, reload }) {
    this.#records = records;
    this.#tell = tell;
    this.#reload = reload;
    byId('folder-pane').hidden = false;
    byId('ask').hidden = false;
    say(byId('records-title'), 'Who has what');
    records.none = 'Nothing is known yet. Find and List all ask the others.';
    const scroller = make('div', { class: 'scroller', role: 'list', tabindex: 0, 'aria-labelledby': 'folder-title' });
    byId('folder').append(scroller, make('p', { class: 'empty' }, 'Nothing is shared yet.'));
    this.#list = new List(scroller, { newRow, fillRow });
    byId('ask').addEventListener('submit', (event) => {
      event.preventDefault();
      const words = byId('ask-words').value.trim();
      if (words) this.#find(words);
      else this.#listAll();
    });
    byId('ask-list').addEventListener('click', () => this.#listAll());
    records.offer((number) => this.#button(number), (number) => this.#numbers.has(number));
  }

  resize() {
    this.#list.resize();
  }

  async loadFolder() {
    const shared = await read('/api/shared');
    shared.sort((a, b) => a.number - b.number);
    this.#list.show(shared);
    this.#numbers = new Set(shared.map(({ number }) => number));
    this.#records.changed();
    byId('folder').querySelector('.empty').hidden = shared.length > 0;
    const bytes = shared.reduce((sum, document) => sum + (document.bytes ?? 0), 0);
    say(byId('folder-count'), `${plural(shared.length, 'document')}, ${size(bytes)}`);
  }

  async #find(words) {
    await this.#act({ action: 'find', words }, async ({ records, more }) => {
      this.isSearching = true;
      const { catalog } = this.#records;
      catalog.clear();
      await catalog.addPage(records);
      this.#records.changed();
      this.#tell(`${plural(records.length + (more ?? 0), 'record')} found${more ? `, the first ${count(records.length)} shown` : ''}.`);
    });
  }

  /** Asks the index for everything. The table follows as records that have changed. */
  async #listAll() {
    await this.#act({ action: 'list' }, ({ done }) => {
      this.isSearching = false;
      byId('ask-words').value = '';
      this.#reload();
      this.#tell(`${plural(done.records, 'record')} in the index.`);
    });
  }

  #button(number) {
    if (this.#numbers.has(number)) return documentLink(number, { 'aria-label': `Open RFC ${number}` }, 'Open');
    return make('button', { type: 'button', 'aria-label': `Get RFC ${number}`, onclick: () => this.#get(number) }, 'Get');
  }

  async #get(number) {
    await this.#act({ action: 'get', number }, async ({ done }) => {
      this.#tell(done.kept ? `RFC ${number} is in the folder already.`
        : `RFC ${number} is in the folder: ${size(done.bytes)} from ${done.from}.`);
      await this.loadFolder();
    });
  }

  async #act(action, then) {
    if (!hasToken()) {
      byId('token').hidden = false;
      byId('token-text').focus();
      return;
    }
    byId('page').setAttribute('aria-busy', 'true');
    try {
      await then(await act(action));
    } catch (error) {
      if (error.status === 401) byId('token').hidden = false;
      this.#tell(error.message, true);
    } finally {
      byId('page').removeAttribute('aria-busy');
    }
  }

  transfer({ id, way, number, other, step, done, length, why }) {
    const key = `${way} ${id}`;
    let shown = this.#transfers.get(key);
    if (!shown) {
      shown = this.#newTransfer(way, number, other);
      this.#transfers.set(key, shown);
      byId('transfers').prepend(shown.element);
      this.#forget();
    }
    const percent = length ? Math.floor((done / length) * 100) : null;
    const { element, bar, state } = shown;
    element.className = step;
    if (step === 'done') bar.value = bar.max = 1;
    else if (length) Object.assign(bar, { max: length, value: done });
    const moved = length ? `${size(done)} of ${size(length)}, ${percent} %` : size(done);
    say(state, step === 'done' ? `done, ${size(done)}` : step === 'failed' ? `failed: ${why ?? 'unknown reason'}` : moved);
    if (step === 'done' && way === 'download') this.loadFolder().catch(() => {});
  }

  #newTransfer(way, number, other) {
    const text = `${way === 'download' ? '↓' : '↑'} RFC ${number} ${way === 'download' ? 'from' : 'to'} ${other}`;
    const bar = make('progress', { 'aria-label': text });
    const state = make('span', { class: 'state' });
    return { element: make('li', {}, make('span', { class: 'what' }, text), state, bar), bar, state };
  }

  #forget() {
    const [oldest] = this.#transfers.keys();
    if (this.#transfers.size <= MOST_TRANSFERS) return;
    this.#transfers.get(oldest).element.remove();
    this.#transfers.delete(oldest);
  }
}

function newRow() {
  return make('div', { class: 'row', role: 'listitem' },
    make('span', { class: 'number' }), documentLink(0), make('span', { class: 'size' }));
}

function fillRow(row, document) {
  const [number, link, bytes] = row.children;
  say(number, String(document.number));
  say(link, document.title);
  link.href = pathOf(document.number);
  link.title = document.title;
  say(bytes, document.bytes === null ? 'gone' : size(document.bytes));
}

const pathOf = (number) => `/document/${number}`;

/** Opens a document in a tab of its own. */
function documentLink(number, properties, ...children) {
  return make('a', { href: pathOf(number), target: '_blank', rel: 'noopener', onclick: open, ...properties }, ...children);
}

/** A link cannot send a token. Where reading needs one, the document is loaded first. */
async function open(event) {
  if (linksWork()) return;
  event.preventDefault();
  const tab = window.open('', '_blank');
  try {
    const blob = await readBlob(event.currentTarget.getAttribute('href'));
    const url = URL.createObjectURL(new Blob([blob], { type: 'text/plain;charset=utf-8' }));
    tab.location = url;
    setTimeout(() => URL.revokeObjectURL(url), OPENED);
  } catch (error) {
    tab.document.body.textContent = error.message;
  }
}
