// The picture: this program in the middle, the others around it, and messages that fly between them.
//
// Time is what `advance` says, so that a pause stops a message where it is.

import { byId, count, draw, plural, reducedMotion, say, short } from './dom.js';
import { FEW, arrange } from './layout.js';
import { isRefusal, isRequest, label, other } from './messages.js';

// More peers than this are one circle with their number.
const MOST_PEERS = 200;
// Others that are not registered, and how long they stay after their last message.
const MOST_GUESTS = 8;
const GUEST_STAYS = 6000;
// Messages in flight: beyond these they are dots, and then not drawn. Where peers are closer than
// so many times the size of text, labels would cover each other.
const MOST_LABELS = 24;
const MOST_LABELS_IN_CROWD = 6;
const CROWD = 6;
const MOST_FLIGHTS = 100;
// Messages that wait until the one before them with the same peer has arrived.
const LANE = 6;
const FLIGHT = 700;
const SLOW_FLIGHT = 2200;
const DEPARTURE = { left: 900, expired: 1800, lost: 2600 };
const REST = '\u2026';

export class Stage {
  #box = byId('stage');
  #svg = draw('svg', { role: 'group', 'aria-labelledby': 'stage-title' });
  #lines = draw('g', { class: 'lines' });
  #circles = draw('g');
  #core = draw('g', { class: 'core' });
  #flying = draw('g', { 'aria-hidden': 'true' });
  #peers = new Map();
  #nodes = new Map();
  #flights = [];
  #time = 0;
  #size = { width: 0, height: 0, unit: 16 };
  // Between two peers.
  #spacing = Infinity;
  // Of the center.
  #half = { width: 0, height: 0 };
  #isStale = true;
  #summed = 0;
  #on;
  // The server that a peer uses, and what it is called.
  #index = null;
  #role = '';
  slow = false;

  /** `on.select(name)` and `on.open(message)` follow a click; `on.wake()` asks for frames. */
  constructor(on) {
    this.#on = on;
    this.#svg.append(this.#lines, this.#circles, this.#core, this.#flying);
    this.#svg.addEventListener('keydown', (event) => this.#key(event));
    this.#box.append(this.#svg);
    new ResizeObserver(() => this.resize()).observe(this.#box);
  }

  get isBusy() {
    return this.#flights.length > 0 || [...this.#nodes.values()].some((node) => node.lane.length > 0);
  }

  peer(name) {
    return this.#peers.get(name);
  }

  /** Those that the circle with the number stands for. */
  get summedUp() {
    return [...this.#peers.keys()].slice(MOST_PEERS - 1);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.#size = { width, height, unit };
    this.#svg.setAttribute('viewBox', `${-width / 2} ${-height / 2} ${width} ${height}`);
    this.#changed();
  }

  /** Starts again from a snapshot; `index` is the name of the server that a peer uses, if any. */
  reset({ name, kind, title, peers, index }) {
    this.#index = index;
    this.#role = kind === 'central' ? 'index' : 'server';
    for (const flight of this.#flights) flight.element.remove();
    this.#flights = [];
    for (const node of [...this.#nodes.values()]) this.#drop(node);
    this.#core.replaceChildren(
      draw('rect', { rx: 10 }),
      draw('text', { class: 'name', y: '-0.2em' }, name),
      draw('text', { class: 'kind', y: '1.2em' }, title),
    );
    if (index) this.#create(index, true);
    this.setPeers(peers);
  }

  /** These are all the peers. */
  setPeers(peers) {
    this.#peers = new Map(peers.map((peer) => [peer.name, peer]));
    for (const node of this.#nodes.values()) if (this.#peers.has(node.name)) node.guest = false;
    this.#changed();
  }

  enter(peer) {
    this.#peers.set(peer.name, peer);
    const node = this.#nodes.get(peer.name);
    if (node?.gone) this.#drop(node);
    else if (node) node.guest = false;
    this.#changed();
  }

  leave(name, why, isShown) {
    const node = this.#nodes.get(name);
    this.#peers.delete(name);
    if (node && isShown) Object.assign(node, { guest: false, gone: { why, since: null } });
    this.#changed();
  }

  /** Shows a message on its way. */
  fly(message) {
    const node = document.hidden ? null : this.#nodeOf(message);
    if (!node) return;
    if (node.lane.length >= LANE) node.lane.shift();
    node.lane.push(message);
    node.seen = this.#time;
    this.#on.wake();
  }

  #nodeOf(message) {
    const name = other(message);
    const node = this.#nodes.get(name);
    if (node) return node;
    if (this.#peers.has(name)) {
      return this.#nodes.size < MOST_PEERS ? this.#create(name) : this.#nodes.get(REST);
    }
    const guests = [...this.#nodes.values()].filter(({ guest, isIndex }) => guest && !isIndex);
    if (guests.length >= MOST_GUESTS) this.#drop(guests.reduce((one, next) => (next.seen < one.seen ? next : one)));
    this.#changed();
    return this.#create(name, true);
  }

  #changed() {
    this.#isStale = true;
    this.#on.wake();
  }

  // Nodes

  #create(name, guest = false) {
    const circle = draw('circle', { role: 'button', tabindex: -1, onfocus: () => this.#lead(circle) });
    const inside = draw('text', { class: 'inside', y: '0.36em', 'aria-hidden': 'true' });
    const below = draw('text', { class: 'below', 'aria-hidden': 'true' });
    // Where there is no room for names, the mouse shows them.
    const tip = draw('title', {}, name === REST ? '' : name);
    const element = draw('g', { class: 'node', onclick: () => this.#on.select(name) }, tip, circle, inside, below);
    element.dataset.name = name;
    const line = draw('line');
    const node = { name, guest, isIndex: name === this.#index, element, circle, inside, below, line, lane: [], flying: false,
      gone: null, seen: this.#time, x: 0, y: 0, to: { x: 0, y: 0 }, grown: 0 };
    this.#nodes.set(name, node);
    this.#circles.append(element);
    this.#lines.append(line);
    if (!this.#circles.querySelector('[tabindex="0"]')) circle.setAttribute('tabindex', 0);
    return node;
  }

  #drop(node) {
    this.#nodes.delete(node.name);
    const led = node.circle.getAttribute('tabindex') === '0';
    node.element.remove();
    node.line.remove();
    if (led) this.#circles.querySelector('circle')?.setAttribute('tabindex', 0);
  }

  /** Decides who is drawn, and where. */
  #arrange() {
    this.#isStale = false;
    const names = [...this.#peers.keys()];
    const shown = names.length > MOST_PEERS ? [...names.slice(0, MOST_PEERS - 1), REST] : names;
    this.#summed = names.length - MOST_PEERS + 1;
    const wanted = new Set(shown);
    for (const name of shown) if (!this.#nodes.has(name)) this.#create(name);
    for (const node of [...this.#nodes.values()]) {
      if (!wanted.has(node.name) && !node.guest && !node.gone) this.#drop(node);
    }
    const nodes = [...this.#nodes.values()];
    byId('stage-empty').hidden = nodes.length > 0;
    const { width, height, unit } = this.#size;
    if (!width) return;
    const hosts = new Set(names.map((name) => name.replace(/:\d+$/, '')));
    const brief = (name) => (hosts.size === 1 ? name.replace(/^.*(?=:\d+$)/, '') : name);
    const wide = (text) => text.length * unit * 0.5;
    const longest = Math.max(0, ...nodes.map(({ name }) => name.length)) * unit * 0.5;
    this.#drawCore();
    this.#svg.classList.toggle('few', nodes.length <= 6);
    this.#svg.classList.toggle('dense', nodes.length > 60);
    // Many have room for short names only.
    const label = nodes.length > FEW ? Math.max(...nodes.map(({ name }) => wide(brief(name)))) : longest;
    const box = { width, height, unit, label: Math.min(label, width / 4), core: this.#half };
    const { radius, spacing, isOneRing, places } = arrange(nodes.length, box);
    this.#spacing = spacing;
    nodes.forEach((node, i) => {
      node.to = places[i] ?? { x: 0, y: 0 };
      node.radius = node.isIndex ? Math.max(radius, unit * 1.75) : radius;
      const text = node.name === REST ? '' : spacing > longest * 1.08 && longest < width / 4 ? node.name : brief(node.name);
      this.#label(node, isOneRing && spacing > wide(text) ? text : '', node.radius, unit);
      this.#placeLabel(node, wide(text));
    });
  }

  /**
   * Below its circle. If it would be behind the center there: above; beside where the heading is above; and below, but
   * past the center, where the picture ends beside.
   */
  #placeLabel({ below, radius, to }, wide) {
    const { width, height, unit } = this.#size;
    const [x, side] = [Math.abs(to.x), to.x < 0 ? -1 : 1];
    const isBehind = to.y < 0 && to.y + radius + unit * 1.3 > -this.#half.height && x - wide / 2 < this.#half.width;
    const place = { x: 0, y: radius + unit, anchor: '' };
    if (isBehind && to.y - radius - unit * 1.3 > unit * 2 - height / 2) {
      place.y = -radius - unit * 0.45;
    } else if (isBehind) {
      place.anchor = side < 0 ? 'end' : 'start';
      const beside = radius + unit * 0.45;
      if (x + beside + wide * 1.08 < width / 2) Object.assign(place, { x: side * beside, y: unit * 0.3 });
      else place.x = side * (this.#half.width + unit * 0.3 - x);
    }
    below.setAttribute('x', place.x);
    below.setAttribute('y', place.y);
    below.style.textAnchor = place.anchor;
  }

  #drawCore() {
    const { width, height, unit } = this.#size;
    const [rect, name, kind] = this.#core.children;
    if (!rect) return;
    const w = Math.max(name.textContent.length * 0.62, kind.textContent.length * 0.5) * unit + 2 * unit;
    const h = unit * 3.6;
    const scale = Math.min(1, (width * 0.42) / w, (height * 0.26) / h);
    this.#core.setAttribute('transform', `scale(${scale})`);
    for (const [key, value] of Object.entries({ x: -w / 2, y: -h / 2, width: w, height: h })) rect.setAttribute(key, value);
    this.#half = { width: (w * scale) / 2, height: (h * scale) / 2 };
  }

  #label(node, text, radius, unit) {
    const isRest = node.name === REST;
    const records = this.#peers.get(node.name)?.records;
    node.circle.setAttribute('r', isRest ? Math.max(radius, unit * 1.6) : radius);
    if (node.gone) return;
    say(node.below, text);
    const inside = isRest ? `+${count(this.#summed)}` : node.isIndex ? this.#role : radius > unit * 0.8 && records ? short(records) : '';
    say(node.inside, inside);
    const held = node.isIndex ? `, the ${this.#role}` : records === undefined ? ', not in the list of peers' : !records ? '' : `, ${plural(records, 'record')}`;
    node.circle.setAttribute('aria-label', isRest ? `${count(this.#summed)} more peers` : node.name + held);
    node.element.classList.toggle('guest', node.guest && !node.isIndex);
    node.element.classList.toggle('rest', isRest);
    node.element.classList.toggle('index', node.isIndex);
  }

  // Time

  /** Moves everything on by some milliseconds, `shown` of which count for messages. Says whether to go on. */
  advance(passed, shown) {
    this.#time += shown;
    if (this.#isStale) this.#arrange();
    const step = reducedMotion.matches ? 1 : 1 - Math.exp(-passed / 130);
    let moves = false;
    for (const node of [...this.#nodes.values()]) moves = this.#move(node, step) || moves;
    this.#flights = this.#flights.filter((flight) => this.#flyOn(flight));
    return moves || this.isBusy;
  }

  #move(node, step) {
    const { to } = node;
    if (node.lane.length > 0 && !node.flying) this.#takeOff(node);
    if (node.gone && !node.flying && node.lane.length === 0) this.#depart(node);
    if (node.guest && !node.isIndex && !node.flying && this.#time - node.seen > GUEST_STAYS) node.gone ??= { why: 'left', since: null };
    const isStill = Math.hypot(to.x - node.x, to.y - node.y) < 0.3 && node.grown > 0.98;
    node.x += (to.x - node.x) * (isStill ? 1 : step);
    node.y += (to.y - node.y) * (isStill ? 1 : step);
    node.grown += (1 - node.grown) * (isStill ? 1 : step);
    const away = node.away ?? 0;
    const [x, y] = [node.x * (1 + away * 0.12), node.y * (1 + away * 0.12)];
    const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${Math.max(node.grown, 0.01).toFixed(3)})`;
    if (transform !== node.transform) {
      node.transform = transform;
      node.element.setAttribute('transform', transform);
      node.line.setAttribute('x2', x.toFixed(1));
      node.line.setAttribute('y2', y.toFixed(1));
    }
    return !isStill || node.gone !== null || (node.guest && !node.isIndex);
  }

  /** What departs keeps its place, with its reason, until it has faded. */
  #depart(node) {
    const { why } = node.gone;
    if (node.gone.since === null) {
      node.gone.since = this.#time;
      node.element.classList.remove('guest');
      node.element.classList.add(why);
      node.line.classList.add('gone', why);
      if (!node.guest) say(node.below, why);
    }
    const t = (this.#time - node.gone.since) / DEPARTURE[why];
    if (t >= 1) {
      this.#drop(node);
      this.#changed();
      return;
    }
    // A lost peer breaks off at once and stays in sight for a while; the others walk away.
    node.away = why === 'lost' || reducedMotion.matches ? 0 : t;
    const fade = why === 'lost' ? Math.max(0, (t - 0.7) / 0.3) : t;
    node.element.style.opacity = 1 - fade;
    node.line.style.opacity = why === 'lost' ? 0.6 : 1 - fade;
  }

  #takeOff(node) {
    const message = node.lane.shift();
    node.seen = this.#time;
    if (this.#flights.length >= MOST_FLIGHTS) return;
    const labels = this.#spacing < CROWD * this.#size.unit ? MOST_LABELS_IN_CROWD : MOST_LABELS;
    const element = this.#capsule(message, this.#flights.length < labels);
    this.#flying.append(element);
    node.flying = true;
    this.#flights.push({ message, node, element, since: this.#time });
  }

  #capsule(message, hasLabel) {
    const { unit } = this.#size;
    const tone = isRefusal(message) ? 'refusal' : isRequest(message) ? 'request' : 'success';
    const element = draw('g', { class: `flight ${tone}`, onclick: () => this.#on.open(message) });
    if (!hasLabel) {
      element.append(draw('circle', { r: unit * 0.38 }));
      return element;
    }
    const text = label(message);
    const width = (text.length * 0.62 + 1.1) * unit;
    element.append(
      draw('rect', { x: -width / 2, y: -unit * 0.8, width, height: unit * 1.6, rx: unit * 0.8 }),
      draw('text', { y: '0.36em' }, text),
    );
    return element;
  }

  #flyOn(flight) {
    const { message, node, element } = flight;
    const duration = this.slow ? SLOW_FLIGHT : FLIGHT;
    const t = (this.#time - flight.since) / duration;
    if (t >= 1) {
      element.remove();
      node.flying = false;
      return false;
    }
    // It flies for most of the time, and can be read where it arrives for the rest.
    const flown = reducedMotion.matches ? 0.5 : ease(Math.min(t / 0.8, 1));
    const { from, to } = this.#way(node);
    const part = from + (to - from) * (message.way === 'sent' ? flown : 1 - flown);
    element.setAttribute('transform', `translate(${(node.x * part).toFixed(1)} ${(node.y * part).toFixed(1)})`);
    element.style.opacity = t > 0.9 ? (1 - t) / 0.1 : 1;
    return true;
  }

  /** Where a message starts and ends on the line to a peer, as parts of it: beside the center and the circle. */
  #way({ x, y, radius }) {
    const { unit } = this.#size;
    const far = Math.hypot(x, y) || 1;
    const from = Math.min((this.#half.width + unit * 1.6) / Math.abs(x || 1), (this.#half.height + unit * 0.9) / Math.abs(y || 1), 0.5);
    const beside = radius + unit * (0.6 + 0.9 * Math.abs(x / far));
    return { from, to: Math.max(1 - beside / far, from) };
  }

  // Keyboard

  /** The one circle that the Tab key goes to. */
  #lead(circle) {
    this.#circles.querySelector('[tabindex="0"]')?.setAttribute('tabindex', -1);
    circle.setAttribute('tabindex', 0);
  }

  #key(event) {
    const nodes = [...this.#circles.children];
    const now = nodes.indexOf(document.activeElement.parentNode);
    if (now < 0) return;
    if (event.key === 'Enter' || event.key === ' ') {
      this.#on.select(nodes[now].dataset.name);
    } else {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      nodes[(now + by + nodes.length) % nodes.length].querySelector('circle').focus();
    }
    event.preventDefault();
  }
}

const ease = (t) => (t < 0.5 ? 2 * t * t : 1 - (-2 * t + 2) ** 2 / 2);

/** The name of the circle that stands for the peers that are not drawn. */
export const SUMMED_UP = REST;
