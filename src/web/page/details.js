// The bytes of a message as they stand on the wire, with their line ends.

import { byId, clock, count, make, plural, size } from './dom.js';
import { isRefusal, isRequest, label, other } from './messages.js';
import { SUMMED_UP } from './stage.js';

const LAST = 10;
const MOST_NAMES = 500;
// Control characters, and those that change the direction of text.
const HIDDEN = /([\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff])/;

export class Details {
  #box = byId('details');
  #pane = byId('details-pane');
  #close = byId('details-close');
  #stage;
  #messages;

  constructor({ stage, messages }) {
    this.#stage = stage;
    this.#messages = messages;
    this.#close.addEventListener('click', () => this.clear());
    this.clear();
  }

  clear() {
    const hint = 'Select a peer or a message to see its bytes as they are on the wire.';
    this.#box.replaceChildren(make('p', { class: 'hint' }, hint));
    this.#pane.classList.remove('open');
    this.#close.hidden = true;
    this.#messages.select(null);
  }

  get isOpen() {
    return this.#pane.classList.contains('open');
  }

  /** A request and its answer, whichever of them was selected. */
  message(message) {
    this.#messages.select(message);
    this.#open(...this.#messages.exchange(message).map(block));
  }

  peer(name) {
    this.#messages.select(null);
    if (name === SUMMED_UP) return this.#rest();
    const peer = this.#stage.peer(name);
    const last = this.#messages.of(name, LAST);
    const facts = peer
      ? [peer.since > 0 && `since ${clock(peer.since).slice(0, 8)}`, peer.records > 0 && plural(peer.records, 'record'), peer.remote && `from ${peer.remote}`]
      : ['not in the list of peers'];
    this.#open(
      make('header', { class: 'peer' },
        make('h3', {}, name),
        make('p', {}, facts.filter(Boolean).join(' · ')),
        make('button', { type: 'button', onclick: () => this.#messages.only(name) }, 'Only its messages')),
      ...last.reverse().map(block),
      last.length ? null : make('p', { class: 'hint' }, 'No message of it is kept.'),
    );
  }

  #rest() {
    const names = this.#stage.summedUp;
    const buttons = names.slice(0, MOST_NAMES).map((name) =>
      make('button', { type: 'button', onclick: () => this.peer(name) }, name));
    this.#open(
      make('h3', {}, `${count(names.length)} more peers`),
      make('div', { class: 'names' }, ...buttons),
      names.length > MOST_NAMES ? make('p', { class: 'hint' }, 'and others; filter the messages to find one.') : null,
    );
  }

  #open(...children) {
    this.#box.replaceChildren(...children.filter(Boolean));
    this.#box.scrollTop = 0;
    this.#pane.classList.add('open');
    this.#close.hidden = false;
  }
}

function block(message) {
  const direction = message.way === 'received' ? 'from' : 'to';
  const tone = isRefusal(message) ? 'refusal' : isRequest(message) ? 'request' : 'success';
  const facts = [clock(message.time), size(message.size)];
  if (message.peer && message.remote !== message.peer) facts.push(message.remote);
  return make('article', { class: `wire ${tone}` },
    make('h3', {}, make('span', { class: 'label' }, label(message)), ` ${direction} ${other(message)}`),
    make('p', {}, facts.join(' · ')),
    bytes(message));
}

function bytes(message) {
  const pre = make('pre', { tabindex: 0, 'aria-label': 'Bytes' });
  const lines = message.text.split('\n');
  const last = lines.pop();
  let isHead = true;
  lines.forEach((line, index) => {
    const hasReturn = line.endsWith('\r');
    const text = hasReturn ? line.slice(0, -1) : line;
    if (text === '') isHead = false;
    const name = isHead && index > 0 ? /^[\w-]+:/.exec(text)?.[0] : null;
    if (index === 0) pre.append(make('strong', {}, ...visible(text)));
    else if (name) pre.append(make('span', { class: 'field' }, name), ...visible(text.slice(name.length)));
    else pre.append(...visible(text));
    pre.append(make('span', { class: 'mark' }, hasReturn ? '\\r\\n' : '\\n'), '\n');
  });
  pre.append(...visible(last));
  if (message.more > 0) pre.append(make('span', { class: 'mark' }, `… and ${plural(message.more, 'record')} more`));
  if (message.cut) pre.append(make('span', { class: 'mark' }, `… cut: ${count(message.size)} bytes in all`));
  return pre;
}

function visible(text) {
  return text.split(HIDDEN).filter(Boolean).map((part) =>
    HIDDEN.test(part) ? make('span', { class: 'mark' }, escaped(part)) : part);
}

function escaped(character) {
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  const code = character.codePointAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
