// Who has what: records, grouped by number and title. It knows nothing of the page.
//
// No step takes long with 100,000 records: new ones are sorted among themselves and merged in, and
// a search goes in slices.

import { breathe } from './dom.js';

const SLICE = 8;

const order = (a, b) => a.number - b.number || (a.title < b.title ? -1 : a.title > b.title ? 1 : 0);

export class Catalog {
  #groups = new Map();
  #byHolder = new Map();
  #sorted = [];
  #fresh = [];
  #hasEmpty = false;
  // What was removed while a page of records was on its way; null when none is.
  #removed = null;
  records = 0;

  get holders() {
    return this.#byHolder.size;
  }

  has({ number, title }) {
    return this.#groups.has(`${number} ${title}`);
  }

  add({ number, title, host, port }) {
    const holder = `${host}:${port}`;
    const key = `${number} ${title}`;
    this.#removed?.delete(`${holder} ${key}`);
    let group = this.#groups.get(key);
    if (!group) {
      group = { key, number, title, text: `rfc ${key}`.toLowerCase(), holders: new Set() };
      this.#groups.set(key, group);
      this.#fresh.push(group);
    }
    if (group.holders.has(holder)) return;
    group.holders.add(holder);
    this.records += 1;
    let held = this.#byHolder.get(holder);
    if (!held) this.#byHolder.set(holder, (held = new Set()));
    held.add(group);
  }

  remove({ number, title, host, port }) {
    const holder = `${host}:${port}`;
    const key = `${number} ${title}`;
    this.#removed?.add(`${holder} ${key}`);
    const group = this.#groups.get(key);
    if (group?.holders.has(holder)) {
      this.#byHolder.get(holder).delete(group);
      this.#drop(group, holder);
    }
  }

  /** A peer has gone, with all it had. */
  removeHolder(holder) {
    for (const group of this.#byHolder.get(holder) ?? []) {
      this.#removed?.add(`${holder} ${group.key}`);
      this.#drop(group, holder);
    }
    this.#byHolder.delete(holder);
  }

  #drop(group, holder) {
    group.holders.delete(holder);
    this.records -= 1;
    if (group.holders.size === 0) {
      this.#groups.delete(group.key);
      this.#hasEmpty = true;
    }
  }

  clear() {
    this.#groups.clear();
    this.#byHolder.clear();
    this.#sorted = [];
    this.#fresh = [];
    this.#hasEmpty = false;
    this.records = 0;
  }

  /** Before a page of records is asked for. */
  pageAsked() {
    this.#removed = new Set();
  }

  /** Adds a page, except for what was removed since it was asked for, until `isObsolete()`. */
  async addPage(records, isObsolete = () => false) {
    let since = performance.now();
    for (const record of records) {
      const name = `${record.host}:${record.port} ${record.number} ${record.title}`;
      if (!this.#removed?.has(name)) this.add(record);
      if (performance.now() - since > SLICE) {
        await breathe();
        if (isObsolete()) return;
        since = performance.now();
      }
    }
    this.#removed = null;
  }

  /** All groups, by number. */
  sorted() {
    if (this.#hasEmpty) {
      this.#sorted = this.#sorted.filter((group) => group.holders.size > 0);
      this.#fresh = this.#fresh.filter((group) => group.holders.size > 0);
      this.#hasEmpty = false;
    }
    if (this.#fresh.length > 0) {
      this.#sorted = merge(this.#sorted, this.#fresh.sort(order));
      this.#fresh = [];
    }
    return this.#sorted;
  }

  /** The groups that have all these words in number, title or a holder; null if `isObsolete()`. */
  async search(words, isObsolete) {
    const found = [];
    let since = performance.now();
    for (const group of this.sorted()) {
      if (words.every((word) => group.text.includes(word) || hasHolder(group, word))) found.push(group);
      if (performance.now() - since > SLICE) {
        await breathe();
        if (isObsolete()) return null;
        since = performance.now();
      }
    }
    return found;
  }
}

function hasHolder(group, word) {
  for (const holder of group.holders) if (holder.toLowerCase().includes(word)) return true;
  return false;
}

function merge(left, right) {
  const all = new Array(left.length + right.length);
  let l = 0;
  let r = 0;
  for (let i = 0; i < all.length; i += 1) {
    all[i] = r >= right.length || (l < left.length && order(left[l], right[r]) <= 0) ? left[l++] : right[r++];
  }
  return all;
}
