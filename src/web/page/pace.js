// When an event is shown: at once, one after the other in slow motion, or not before the pause ends.
//
// The queue is bounded. What falls out of it is applied without being shown, so the tables stay
// right however long the pause.

const MOST_WAITING = 5000;
// Between two messages of slow motion.
const BREAK = 350;

export class Pace {
  #waiting = [];
  #next = 0;
  #show;
  #apply;
  #isBusy;
  #changed;
  #resumeAt = 0;
  #messages = 0;
  slow = false;
  paused = false;
  skipped = 0;

  /** `show` and `apply` take an event with and without animation; `isBusy` says that one still runs. */
  constructor({ show, apply, isBusy, changed }) {
    this.#show = show;
    this.#apply = apply;
    this.#isBusy = isBusy;
    this.#changed = changed;
  }

  get waiting() {
    return this.#waiting.length - this.#next;
  }

  /** How many messages wait. */
  get messages() {
    return this.#messages;
  }

  get isLive() {
    return !this.slow && !this.paused && this.waiting === 0;
  }

  push(event) {
    if (this.isLive) return this.#show(event);
    this.#waiting.push(event);
    if (event.name === 'message') this.#messages += 1;
    if (this.waiting > MOST_WAITING) {
      this.#apply(this.#shift());
      this.skipped += 1;
    }
    this.#changed();
  }

  set(changes) {
    Object.assign(this, changes);
    this.#resumeAt = 0;
    if (!this.slow && !this.paused) this.catchUp();
    this.#changed();
  }

  /** Called once a frame. */
  tick(now) {
    if (!this.slow || this.paused || this.waiting === 0) return;
    if (this.#isBusy()) {
      this.#resumeAt = now + BREAK;
    } else if (now >= this.#resumeAt) {
      this.step();
    }
  }

  /** Shows events up to and with the next message. */
  step() {
    while (this.waiting > 0) {
      const event = this.#shift();
      this.#show(event);
      if (event.name === 'message') break;
    }
    this.#changed();
  }

  /** Everything that waits happens now, without animation. */
  catchUp() {
    while (this.waiting > 0) this.#apply(this.#shift());
    this.skipped = 0;
    this.#changed();
  }

  /** A new snapshot makes what waits obsolete. */
  clear() {
    this.#waiting = [];
    this.#next = 0;
    this.#messages = 0;
    this.skipped = 0;
    this.#changed();
  }

  #shift() {
    const event = this.#waiting[this.#next];
    this.#waiting[this.#next] = undefined;
    this.#next += 1;
    if (event.name === 'message') this.#messages -= 1;
    if (this.#next > 1024 || this.#next === this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return event;
  }
}
