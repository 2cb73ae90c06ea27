// The real programs, and a peer that is only a socket.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PATIENCE = 30_000;
const BUILT = path.resolve(process.env.CARGO_TARGET_DIR ?? 'target', 'debug');
const started = new Set();

/** A folder of its own, removed at the end. */
export function folder() {
  const name = mkdtempSync(path.join(tmpdir(), 'p2pci-web-'));
  folders.push(name);
  return name;
}
const folders = [];

/** A program that runs; `printed` is what it has printed so far. */
export class Program {
  printed = '';
  #child;
  #waiting = [];

  constructor(name, options) {
    const env = { ...process.env, XDG_STATE_HOME: folder() };
    this.#child = spawn(path.join(BUILT, name), options, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    started.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.printed += text;
        this.#waiting = this.#waiting.filter((look) => !look());
      });
    }
    this.ended = new Promise((resolve) => { this.#child.on('exit', resolve); });
  }

  /** Waits for a line, and gives what its parentheses match. */
  expect(pattern) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${pattern} in:\n${this.printed}`)), PATIENCE);
      const look = () => {
        const found = pattern.exec(this.printed);
        if (!found) return false;
        clearTimeout(late);
        resolve(found[1]);
        return true;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  async end(signal = 'SIGTERM') {
    started.delete(this);
    this.#child.kill(signal);
    await this.ended;
  }
}

export async function startServer(port = 0, web = 0, ...more) {
  const server = new Program('server', ['--port', `${port}`, '--web', `${web}`, ...more]);
  server.port = Number(await server.expect(/Listening on port (\d+)/));
  server.page = await server.expect(/(http:\/\/\S+)/);
  return server;
}

export async function startPeer(server, dir, ...more) {
  const peer = new Program('peer', ['--host', `localhost:${server.port}`, '--hostname', 'localhost', '--dir', dir, ...more, 'share']);
  peer.name = `localhost:${await peer.expect(/Upload server listening on port (\d+)/)}`;
  await peer.expect(/RFC\(s\) of .* shared|no RFCs are shared/);
  return peer;
}

/** A peer that registers what it likes. */
export class RawPeer {
  answered = 0;
  #socket;
  #due = () => {};

  static async connect(server) {
    const peer = new RawPeer();
    peer.#socket = net.connect(server.port, 'localhost');
    await new Promise((resolve, reject) => peer.#socket.once('connect', resolve).once('error', reject));
    let before = '';
    peer.#socket.setEncoding('latin1').on('data', (text) => {
      const all = before + text;
      peer.answered += all.split('P2P-CI/1.0 ').length - 1;
      before = all.slice(-10);
      peer.#due();
    });
    return peer;
  }

  /** Sends requests, and waits for as many answers. */
  async send(...requests) {
    const wanted = this.answered + requests.length;
    const answers = new Promise((resolve) => {
      this.#due = () => this.answered >= wanted && resolve();
    });
    this.#socket.write(requests.join(''));
    await answers;
  }

  /** Breaks the connection, as a machine that fails. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  end() {
    this.#socket.destroy();
  }
}

export const add = (number, title, port) =>
  `ADD RFC ${number} P2P-CI/1.0\r\nHost: localhost\r\nPort: ${port}\r\nTitle: ${title}\r\n\r\n`;

export const lookup = (number, port) =>
  `LOOKUP RFC ${number} P2P-CI/1.0\r\nHost: localhost\r\nPort: ${port}\r\nTitle: \r\n\r\n`;

/** Ends what still runs. */
export async function endAll() {
  await Promise.all([...started].map((program) => program.end('SIGKILL')));
  for (const name of folders) rmSync(name, { recursive: true, force: true });
}
