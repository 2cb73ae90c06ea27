// The last 1,000 messages: scrolled back, filtered, and selected with the mouse or the arrow keys.

import { byId, clock, count, make, say } from './dom.js';
import { List } from './list.js';

const KEPT = 1000;

/** Whether a message says no: a refused request, or an answer other than 200. */
export const isRefusal = (message) => message.bad || (message.status !== null && message.status !== 200);

export const isRequest = (message) => message.status === null;

/** The method of a request, or its first word; the status of an answer. */
export const label = (message) => message.status?.toString() ?? message.method ?? (message.line.split(' ')[0].slice(0, 16) || '?');

/** Whom a message comes from or goes to, by its name if it has one. */
export const other = (message) => message.peer ?? message.remote;

export class Messages {
  #all = [];
  #shown = [];
  #filter = byId('messages-filter');
  #scroller;
  #list;
  #due = false;
  #skipped = 0;
  #follows = true;
  #select;
  #empty = make('p', { class: 'empty' });
  selected = null;
  /** What is said where there are none. */
  none = '';

  /** `select(message)` shows its bytes. */
  constructor(select) {
    this.#select = select;
    this.#scroller = make('div', {
      class: 'scroller',
      role: 'listbox',
      tabindex: 0,
      'aria-label': 'Messages, oldest first',
      onkeydown: (event) => this.#key(event),
    });
    this.#scroller.addEventListener('scroll', () => {
      this.#follows = this.#list.isAtEnd;
      this.#newest.hidden = this.#follows;
    }, { passive: true });
    byId('messages').append(this.#scroller, this.#newest, this.#empty);
    this.#list = new List(this.#scroller, {
      newRow: () => this.#newRow(),
      fillRow: (row, message) => this.#fill(row, message),
    });
    this.#filter.addEventListener('input', () => {
      this.#follows = true;
      this.#changed();
    });
  }

  #newest = make('button', {
    type: 'button',
    class: 'newest',
    hidden: true,
    onclick: () => {
      this.#follows = true;
      this.#list.scrollToEnd();
    },
  }, 'Newest ↓');

  /** Adds a message. What begins a stream may come again in it. */
  add(message) {
    if (message.id <= (this.#all.at(-1)?.id ?? -1)) return;
    this.#all.push(message);
    // A page out of sight draws no frames.
    if (this.#all.length > 2 * KEPT) this.#all.splice(0, KEPT);
    this.#changed();
  }

  /** Puts older messages that are already kept before the others. */
  addOlder(messages) {
    const first = this.#all[0]?.id ?? Infinity;
    this.#all = [...messages.filter((message) => message.id < first), ...this.#all];
    this.#changed();
  }

  /** Counts messages that there were too many of to show. */
  skip(n) {
    this.#skipped += n;
    this.#changed();
  }

  clear() {
    this.#all = [];
    this.#skipped = 0;
    this.selected = null;
    this.#changed();
  }

  resize() {
    this.#list.resize();
  }

  /** Shows only the messages of a peer. */
  only(text) {
    this.#filter.value = text;
    this.#filter.dispatchEvent(new Event('input'));
  }

  select(message) {
    this.selected = message;
    this.#list.refresh();
  }

  /** The last messages with a peer. */
  of(name, n) {
    return this.#all.filter((message) => other(message) === name).slice(-n);
  }

  /** A message and its counterpart, the request first. Requests of a connection are answered in order. */
  exchange(message) {
    const unanswered = [];
    for (const next of this.#all) {
      if (next.role !== message.role || next.link !== message.link) continue;
      if (isRequest(next)) {
        unanswered.push(next);
        continue;
      }
      const request = unanswered.shift();
      if (next === message || request === message) return [request, next].filter(Boolean);
    }
    return [message];
  }

  #changed() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#update();
    });
  }

  #update() {
    this.#all.splice(0, this.#all.length - KEPT);
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const first = this.#shown[0];
    this.#shown = words.length ? this.#all.filter((message) => matches(message, words)) : [...this.#all];
    const gone = first ? this.#shown.findIndex((message) => message.id >= first.id) : 0;
    this.#list.show(this.#shown);
    if (this.#follows) this.#list.scrollToEnd();
    else if (!words.length && gone <= 0 && first) this.#list.scrollUp(Math.max(0, this.#shown[0]?.id - first.id));
    say(byId('messages-count'), words.length ? `${count(this.#shown.length)} of ${count(this.#all.length)}`
      : this.#all.length === 0 ? '' : `${this.#all.length < KEPT ? '' : 'the last '}${count(this.#all.length)}${this.#skipped ? `, ${count(this.#skipped)} not shown` : ''}`);
    say(this.#empty, this.#shown.length > 0 ? '' : words.length ? 'Nothing matches.' : this.none);
  }

  #newRow() {
    const row = make('div', { class: 'row', role: 'option' },
      make('time'), make('span', { class: 'way' }), make('span', { class: 'with' }, make('span'), make('span')),
      make('span', { class: 'label' }), make('span', { class: 'line' }));
    row.addEventListener('click', () => this.#pick(this.#shown.findIndex(({ id }) => id === Number(row.dataset.id))));
    return row;
  }

  #fill(row, message) {
    const isSelected = this.selected?.id === message.id;
    row.setAttribute('aria-selected', isSelected);
    if (Number(row.dataset.id) === message.id) return;
    row.dataset.id = message.id;
    row.id = `message-${message.id}`;
    row.classList.toggle('refusal', isRefusal(message));
    row.classList.toggle('answer', !isRequest(message));
    const [time, way, remote, tag, line] = row.children;
    say(time, clock(message.time));
    say(way, message.way === 'received' ? '←' : '→');
    way.title = message.way === 'received' ? 'received from' : 'sent to';
    // In a narrow pane only the host is shortened.
    const [, host, port] = /^(.*?)(:\d+)?$/.exec(other(message));
    say(remote.firstChild, host);
    say(remote.lastChild, port ?? '');
    say(tag, label(message));
    say(line, rest(message));
    line.title = message.line;
  }

  #pick(index) {
    const message = this.#shown[index];
    if (!message) return;
    this.selected = message;
    this.#list.scrollTo(index);
    this.#list.refresh();
    this.#scroller.setAttribute('aria-activedescendant', `message-${message.id}`);
    this.#select(message);
  }

  #key(event) {
    const now = this.#shown.findIndex(({ id }) => id === this.selected?.id);
    const last = this.#shown.length - 1;
    const to = {
      ArrowDown: now < 0 ? last : Math.min(now + 1, last),
      ArrowUp: now < 0 ? last : Math.max(now - 1, 0),
      PageDown: Math.min(now + 10, last),
      PageUp: Math.max(now - 10, 0),
      Home: 0,
      End: last,
      Enter: now < 0 ? last : now,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#pick(to);
  }
}

/** What the first line says beside the method or the status. */
function rest({ line }) {
  return /^\S+ (.*) P2P-[CD]I\/1\.0$/.exec(line)?.[1] ?? /^P2P-[CD]I\/1\.0 \d+ (.*)$/.exec(line)?.[1] ?? line;
}

function matches(message, words) {
  const text = `${other(message)} ${message.remote} ${label(message)} ${message.line}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
