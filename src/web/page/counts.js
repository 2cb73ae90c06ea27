// The counters in the bar, and the curve of the last minute.

import { byId, count, draw, make, say, size } from './dom.js';

const SECONDS = 60;

export class Counts {
  #values = {};
  #rates = Array(SECONDS).fill(0);
  #curve = draw('polyline');

  constructor() {
    for (const [key, name] of Object.entries({
      peers: 'Peers', records: 'Records', requests: 'Requests', refused: 'Refused', in: 'Received', out: 'Sent', rate: 'Requests/s',
    })) {
      const value = make('dd', {}, '0');
      this.#values[key] = value;
      byId('counts').append(make('div', { 'data-count': key }, make('dt', {}, name), value));
    }
    this.#values.rate.after(make('dd', { class: 'curve', 'aria-hidden': 'true' },
      draw('svg', { viewBox: `0 0 ${SECONDS} 20`, preserveAspectRatio: 'none' }, this.#curve)));
    // A second without changes is a second without requests.
    setInterval(() => this.#tick(), 1000);
  }

  #fresh = 0;

  show({ peers, records, requests, refused, bytes_in, bytes_out, per_second }) {
    const texts = {
      peers: count(peers), records: count(records), requests: count(requests), refused: count(refused),
      in: size(bytes_in), out: size(bytes_out),
    };
    for (const [key, text] of Object.entries(texts)) say(this.#values[key], text);
    this.#fresh = per_second?.requests ?? 0;
    this.#values.refused.parentElement.classList.toggle('some', refused > 0);
  }

  #tick() {
    const rate = this.#fresh;
    this.#fresh = 0;
    this.#rates.push(rate);
    this.#rates.splice(0, this.#rates.length - SECONDS);
    say(this.#values.rate, rate > 0 && rate < 10 ? rate.toFixed(1) : count(Math.round(rate)));
    const most = Math.max(1, ...this.#rates);
    this.#curve.setAttribute('points', this.#rates.map((r, i) => `${i},${19 - (18 * r) / most}`).join(' '));
  }
}
