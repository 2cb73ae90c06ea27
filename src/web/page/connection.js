// The server of this page: requests, and the live stream, which comes back by itself.
//
// The stream has the format of server-sent events, but EventSource cannot send a token, so it is
// read with fetch.

import { breathe } from './dom.js';

const KEPT = 'p2p-token';
const FIRST_WAIT = 400;
const LONGEST_WAIT = 4000;
// A line comes at least every 15 s.
const SILENCE = 40_000;
// How long events may occupy the browser before it can draw.
const SLICE = 10;

let token = '';
let readingNeedsToken = false;

/** Moves the token from the address, where a projector would show it, into this tab's storage. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    setToken(given);
    history.replaceState(null, '', location.pathname + location.search);
  } else {
    token = sessionStorage.getItem(KEPT) ?? '';
  }
}

export function setToken(text) {
  token = text.trim();
  sessionStorage.setItem(KEPT, token);
}

export const hasToken = () => token !== '';

/** Whether a plain link can open a document, or only a request with the token. */
export const linksWork = () => !readingNeedsToken;

/** A request to read. It shows the token only to a server that asks for it. */
async function reading(path, options = {}) {
  const answer = await fetch(path, withToken(options, readingNeedsToken));
  if (answer.status !== 401 || readingNeedsToken || !token) return answer;
  const again = await fetch(path, withToken(options, true));
  readingNeedsToken = again.ok;
  return again;
}

function withToken(options, wanted) {
  const headers = { Accept: 'application/json', ...options.headers };
  if (wanted && token) headers.Authorization = `Bearer ${token}`;
  return { cache: 'no-store', ...options, headers };
}

export async function read(path) {
  return (await accepted(await reading(path))).json();
}

export async function readBlob(path) {
  return (await accepted(await reading(path, { headers: { Accept: 'text/plain' } }))).blob();
}

/** Has the program do something. Fails with what it answers as "error". */
export async function act(action) {
  const options = withToken({ method: 'POST', body: JSON.stringify(action) }, true);
  options.headers['Content-Type'] = 'application/json';
  const result = await (await accepted(await fetch('/api/action', options))).json();
  if (result.error) throw new Error(result.error);
  return result;
}

/** An answer that is not a refusal. An error has what the program says, and the status. */
async function accepted(answer) {
  if (answer.ok) return answer;
  let text = (await answer.text()).trim();
  try {
    text = JSON.parse(text).error ?? text;
  } catch {
    // It is plain text.
  }
  throw Object.assign(new Error(text || `the program answered ${answer.status}`), { status: answer.status });
}

/**
 * Follows the stream for as long as the page lives. `heard(name, data)` gets its events;
 * `changed(state, why)` gets "live", "lost" (and tries again), or "token" (and stops). It says why if the
 * program refuses.
 */
export async function follow(heard, changed) {
  let wait = FIRST_WAIT;
  for (;;) {
    let why;
    try {
      const stop = new AbortController();
      const answer = await reading('/api/events', {
        headers: { Accept: 'text/event-stream' },
        signal: stop.signal,
      });
      if (answer.status === 401) return changed('token');
      await accepted(answer);
      wait = FIRST_WAIT;
      changed('live');
      await events(answer.body.getReader(), stop, heard);
    } catch (error) {
      why = error.status ? error.message : undefined;
      // A server that restarts is not an error of this page; one in this page must be seen.
      if (!why && !(error instanceof TypeError) && error.name !== 'AbortError') console.warn(error);
    }
    changed('lost', why);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 1.6, LONGEST_WAIT);
  }
}

async function events(reader, stop, heard) {
  const decoder = new TextDecoder();
  let rest = '';
  let silence;
  let since = performance.now();
  try {
    for (;;) {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE);
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      let start = 0;
      for (let end; (end = rest.indexOf('\n\n', start)) >= 0; start = end + 2) {
        one(rest.slice(start, end), heard);
        if (performance.now() - since > SLICE) {
          await breathe();
          since = performance.now();
        }
      }
      rest = rest.slice(start);
    }
  } finally {
    clearTimeout(silence);
    stop.abort();
  }
}

function one(block, heard) {
  let name = '';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  if (name) heard(name, JSON.parse(data));
}
