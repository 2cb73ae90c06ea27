// The page of a running server or peer: the stream comes in here, and each part shows its share.

import { byId, count, plural, say } from './dom.js';
import { follow, read, setToken, takeToken } from './connection.js';
import { Counts } from './counts.js';
import { Details } from './details.js';
import { display } from './display.js';
import { Messages } from './messages.js';
import { Pace } from './pace.js';
import { Records } from './records.js';
import { Sharing } from './sharing.js';
import { Stage } from './stage.js';

const KINDS = {
  server: { central: 'Index server', distributed: 'Registration server', dht: 'Introducer' },
  peer: { central: 'Peer', distributed: 'Peer, distributed index', dht: 'Peer, hash table' },
};
// How a peer joins, after its index.
const JOIN = { central: '', distributed: ' --index distributed', dht: ' --index dht' };
const PAGE = 5000;
const NOTICE = 6000;
// Before tables that have changed as a whole are loaded; more such changes may come at once.
const RELOAD = 2000;
// Between two announcements to screen readers.
const ANNOUNCE = 3000;

const counts = new Counts();
const records = new Records();
const messages = new Messages((message) => details.message(message));
const stage = new Stage({
  select: (name) => details.peer(name),
  open: (message) => details.message(message),
  wake,
});
const details = new Details({ stage, messages });
const pace = new Pace({
  show: (event) => apply(event, true),
  apply: (event) => apply(event, false),
  isBusy: () => stage.isBusy,
  changed: showPace,
});
let sharing = null;

// What the stream says

function heard(name, data) {
  if (name === 'snapshot') snapshot(data);
  else if (name === 'counts') counts.show(data);
  else if (name === 'gap') gap(data);
  else if (name === 'skipped') messages.skip(data.missed);
  else pace.push({ name, data });
}

function apply({ name, data }, isShown) {
  switch (name) {
    case 'peer':
      if (isShown && !stage.peer(data.peer.name)) announce(`${data.peer.name} joined`);
      stage.enter(data.peer);
      break;
    case 'left':
      stage.leave(data.name, data.why, isShown);
      records.catalog.removeHolder(data.name);
      records.changed();
      announce(`${data.name} ${data.why === 'left' ? 'left' : `is ${data.why}`}`);
      break;
    case 'record':
      if (data.added) added(data.record);
      else records.catalog.remove(data.record);
      records.changed();
      break;
    case 'message':
      messages.add(data);
      if (isShown) stage.fly(data);
      break;
    case 'transfer':
      sharing?.transfer(data);
      break;
  }
}

/** What was searched for does not get longer by itself, but holders do come in. */
function added(record) {
  if (!sharing?.isSearching || records.catalog.has(record)) records.catalog.add(record);
}

function snapshot({ program, kind, version, name, index, peers, counts: now, messages: last }) {
  const title = KINDS[program]?.[kind] ?? program;
  document.title = `${title} ${name}`;
  say(byId('title'), name);
  say(byId('kind'), `${title} ${version.split(' ')[0]}`);
  byId('kind').title = version;
  document.body.dataset.program = program;
  // Only the central index is on a server.
  document.body.classList.toggle('no-records', program === 'server' && kind !== 'central');
  const address = `${location.hostname}:${name.split(':').at(-1)}`;
  say(byId('stage-empty'), program === 'peer' ? 'No other peers known yet.' : `No peers yet. To start one: peer --host ${address}${JOIN[kind]}`);
  messages.none = 'No messages yet.';
  if (kind === 'dht') messages.none += ' Those of the hash table use UDP and are not shown.';
  if (program === 'peer') sharing ??= new Sharing({ records, tell, reload: load });
  pace.clear();
  stage.reset({ name, kind, title, peers, index });
  counts.show(now);
  messages.clear();
  last.forEach((message) => messages.add(message));
  details.clear();
  load();
  read('/api/events').then((older) => messages.addOlder(older)).catch(complain);
  resized();
}

/** Some changes are not in the stream: those of a table that changed as a whole, or too fast. */
function gap({ missed }) {
  if (missed > 0) tell(`${plural(missed, 'event')} missed: too many at once. The tables are loaded again.`);
  reloading ??= setTimeout(async () => {
    reloading = null;
    try {
      stage.setPeers(await read('/api/peers'));
      await load();
    } catch (error) {
      complain(error);
    }
  }, RELOAD);
}

let reloading = null;
let loading = 0;

/** Loads the tables. A later call makes an earlier one stop. */
async function load() {
  loading += 1;
  const mine = loading;
  const isObsolete = () => mine !== loading || sharing?.isSearching;
  const { catalog } = records;
  try {
    await sharing?.loadFolder();
    if (isObsolete()) return;
    catalog.clear();
    records.changed();
    for (let after = '', more = true; more; ) {
      catalog.pageAsked();
      const page = await read(`/api/records?limit=${PAGE}${after && `&after=${encodeURIComponent(after)}`}`);
      if (isObsolete()) return;
      await catalog.addPage(page.records, isObsolete);
      records.changed();
      after = page.next ?? '';
      more = page.next !== null && !isObsolete();
    }
  } catch (error) {
    complain(error);
  }
}

// Whether there is a connection

function connection(state, why) {
  const status = byId('status');
  document.body.dataset.connection = state;
  say(status, state === 'live' ? 'Live' : state === 'token' ? 'Token needed' : 'Not connected, trying again');
  byId('token').hidden = state !== 'token';
  if (why) tell(why, true);
  byId('page').hidden = false;
}

byId('token').addEventListener('submit', (event) => {
  event.preventDefault();
  setToken(byId('token-text').value);
  location.reload();
});

// Frames, which are drawn only while something moves

let framed = false;
let before = 0;
let isStepping = false;

function wake() {
  if (framed) return;
  framed = true;
  before = performance.now();
  requestAnimationFrame(frame);
}

function frame(now) {
  const passed = Math.min(Math.max(now - before, 0), 100);
  before = now;
  const runs = !pace.paused || isStepping;
  const moves = stage.advance(passed, runs ? passed : 0);
  if (isStepping && !stage.isBusy) isStepping = false;
  pace.tick(now);
  framed = moves || stage.isBusy || (pace.slow && pace.waiting > 0);
  if (framed) requestAnimationFrame(frame);
}

// Slow motion and pause

function showPace() {
  byId('slow').setAttribute('aria-pressed', pace.slow);
  byId('pause').setAttribute('aria-pressed', pace.paused);
  byId('step').hidden = !pace.paused;
  byId('step').disabled = pace.waiting === 0;
  byId('catch-up').hidden = pace.waiting === 0;
  const skipped = pace.skipped ? `, ${count(pace.skipped)} skipped` : '';
  say(byId('catch-up'), `Catch up (${count(pace.messages)}${skipped})`);
  stage.slow = pace.slow || pace.paused;
  wake();
}

byId('slow').addEventListener('click', () => pace.set({ slow: !pace.slow }));
byId('pause').addEventListener('click', () => pace.set({ paused: !pace.paused }));
byId('step').addEventListener('click', () => {
  isStepping = true;
  pace.step();
});
byId('catch-up').addEventListener('click', () => pace.catchUp());
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && details.isOpen) details.clear();
});

// What is said to people

let noticeTimer;

function tell(text, isError = false) {
  const notice = byId('notice');
  say(notice, text);
  notice.classList.toggle('error', isError);
  notice.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { notice.hidden = true; }, isError ? NOTICE * 2 : NOTICE);
}

function complain(error) {
  // While there is no connection, that is said already.
  if (document.body.dataset.connection === 'live') tell(error.message, true);
}

let unsaid = [];

function announce(text) {
  unsaid.push(text);
  if (unsaid.length > 1) return;
  setTimeout(() => {
    say(byId('live'), unsaid.length > 3 ? `${count(unsaid.length)} peers joined or left` : unsaid.join(', '));
    unsaid = [];
  }, ANNOUNCE);
}

function resized() {
  stage.resize();
  records.resize();
  messages.resize();
  sharing?.resize();
}

takeToken();
display(resized);
showPace();
follow(heard, connection);
