// The page in a real browser, with real programs. `make test-web` runs it. The screenshots in
// target/web are for people to look at.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RawPeer, add, endAll, folder, lookup, startPeer, startServer } from './programs.mjs';

const SHOTS = path.resolve(process.env.CARGO_TARGET_DIR ?? 'target', 'web');
const require = createRequire(path.join(SHOTS, 'package.json'));
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// A frame may take this long, also while the machine is busy with other tests.
const FRAME = 200;
const ATTEMPTS = 3;
const WIDE = { width: 1920, height: 1080 };
const PHONE = { width: 360, height: 740 };
const TITLE = '<script>alert(1)</script>';

let browser;
before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
});
after(async () => {
  await browser?.close();
  await endAll();
});

/** A page that fails the test at the first error or dialog, or when it asks another host. */
async function open(url, options = {}, status = 'Live') {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const home = new URL(url).origin;
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.stack));
  page.on('dialog', (dialog) => page.errors.push(`dialog: ${dialog.message()}`));
  page.on('console', (line) => /Content.Security|Refused to/i.test(line.text()) && page.errors.push(line.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(home) && !request.url().startsWith('data:')) page.errors.push(request.url());
  });
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.locator('#status', { hasText: status }).waitFor();
  return page;
}

async function close(page) {
  assert.deepEqual(page.errors, []);
  await page.context().close();
}

const shoot = (page, name) => page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
const circle = (page, name) => page.locator(`.node[data-name="${name}"]`);

/** No finding of axe, and nothing that makes the page wider than the window. */
async function check(page) {
  // The policy of the page forbids other scripts, so axe comes in over the debugger.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]), []);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, 'the page is wider than the window');
}

test('peers join, talk, and are killed', async () => {
  const server = await startServer();
  const page = await open(server.page);
  const peer = await startPeer(server, 'rfcs');
  await circle(page, peer.name).waitFor();
  const other = await startPeer(server, 'rfcs/peer2');
  await circle(page, other.name).waitFor();
  await page.locator('#records .row', { hasText: 'A Proferred Official ICP' }).waitFor();
  await page.locator('#records .row', { hasText: '3457' }).getByText(other.name).waitFor();
  await page.locator('#messages .row', { hasText: 'ADD' }).first().waitFor();
  await page.locator('[data-count="peers"] dd', { hasText: /^2$/ }).waitFor();

  await circle(page, peer.name).click();
  const bytes = page.locator('#details pre', { hasText: 'ADD RFC 2345' });
  await bytes.waitFor();
  const port = peer.name.split(':')[1];
  assert.equal(await bytes.textContent(), 'ADD RFC 2345 P2P-CI/1.0\\r\\n\nHost: localhost\\r\\n\n'
    + `Port: ${port}\\r\\n\nTitle: Domain Names and Company Name Retrieval\\r\\n\n\\r\\n\n`);
  await shoot(page, 'server');
  await check(page);

  const raw = await RawPeer.connect(server);
  await raw.send(add(7, 'Seven', 40007));
  await page.locator('.node:not(.guest)[data-name="localhost:40007"]').waitFor();
  raw.reset();
  await page.locator('.node.lost[data-name="localhost:40007"]').waitFor();
  await shoot(page, 'broken');
  await circle(page, 'localhost:40007').waitFor({ state: 'detached' });
  await peer.end('SIGKILL');
  await circle(page, peer.name).waitFor({ state: 'detached' });
  await page.locator('#records .row', { hasText: '2345' }).waitFor({ state: 'detached' });
  await page.locator('#records .row', { hasText: '3457' }).waitFor();
  await close(page);
  await server.end();
});

test('text of strangers stays text, and a refusal is red', async () => {
  const server = await startServer();
  const page = await open(server.page, { colorScheme: 'dark' });
  const raw = await RawPeer.connect(server);
  await raw.send(add(123, TITLE, 40001), 'BLAH RFC 1 P2P-CI/1.0\r\nHost: x\r\n\r\n');
  await page.locator('#records .row', { hasText: TITLE }).waitFor();
  const refused = page.locator('#messages .row.refusal', { hasText: 'BLAH' });
  await refused.click();
  await page.locator('#details .wire.refusal', { hasText: '400 Bad Request' }).waitFor();
  // An answer has its own request beside it, also where several were sent at once.
  await page.locator('#messages .row.answer:not(.refusal)').click();
  await page.locator('#details pre', { hasText: `Title: ${TITLE}\\r\\n` }).waitFor();
  assert.equal(await page.locator('#details .wire').count(), 2);
  await page.locator('#messages .row.answer.refusal').click();
  await page.locator('#details .wire.refusal', { hasText: 'BLAH RFC 1' }).waitFor();
  await page.locator('#details .wire.refusal', { hasText: '400 Bad Request' }).waitFor();
  assert.equal(await page.locator('#details .wire').count(), 2);
  await page.locator('#messages .row', { hasText: 'ADD' }).click();
  await page.locator('#details pre', { hasText: `Title: ${TITLE}\\r\\n` }).waitFor();
  await shoot(page, 'dark');
  await check(page);
  await close(page);

  const plain = await open(server.page, { javaScriptEnabled: false });
  await plain.locator('td', { hasText: TITLE }).waitFor();
  await shoot(plain, 'plain');
  await close(plain);
  raw.end();
  await server.end();
});

test('slow motion and pause, with the keyboard alone', async () => {
  const server = await startServer();
  const page = await open(server.page);
  const raw = await RawPeer.connect(server);
  await raw.send(add(1, 'One', 40001));
  await circle(page, 'localhost:40001').waitFor();

  const press = async (name) => {
    await page.getByRole('button', { name }).focus();
    await page.keyboard.press('Enter');
  };
  const rows = page.locator('#messages .row');
  await rows.filter({ hasText: '200' }).waitFor();
  await press('Pause');
  await raw.send(lookup(1, 40001), lookup(2, 40001));
  const catchUp = page.getByRole('button', { name: /Catch up/ });
  await page.getByRole('button', { name: 'Catch up (4)' }).waitFor();
  assert.equal(await rows.count(), 2);
  await press('Next');
  await page.locator('#messages .row', { hasText: 'LOOKUP' }).waitFor();
  assert.equal(await rows.count(), 3);
  await press('Slow motion');
  await press('Pause');
  await page.locator('.flight.success', { hasText: '200' }).waitFor();
  await shoot(page, 'slow');
  await catchUp.waitFor({ state: 'hidden' });
  await page.locator('#messages .row', { hasText: '404' }).waitFor();
  await page.locator('.flight.refusal').waitFor();
  await page.locator('.flight').waitFor({ state: 'detached' });
  await press('Slow motion');

  // The circles are one stop of the Tab key, and the list is one.
  await circle(page, 'localhost:40001').locator('circle').focus();
  await page.keyboard.press('Enter');
  await page.locator('#details h3', { hasText: 'localhost:40001' }).first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('listbox').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await page.locator('#details pre', { hasText: 'LOOKUP RFC 2' }).waitFor();
  raw.end();
  await close(page);
  await server.end();
});

test('100,000 records: the filter works, and no frame takes long', async () => {
  const server = await startServer(0, 0, '-q', '--max-records-per-peer', '100000');
  const raw = await RawPeer.connect(server);
  const words = ['Domain', 'Transport', 'Routing', 'Mail', 'Security'];
  const titles = Array.from({ length: 100_000 }, (_, i) => `${words[i % 5]} Document ${i + 1}`);
  const matching = titles.filter((title) => title.includes('Mail') && title.includes('99')).length;
  const requests = titles.map((title, i) => add(i + 1, title, 40001));
  // More than the stream shows: the page is told of a gap, and loads the table again.
  const page = await open(server.page);
  for (let i = 0; i < requests.length; i += 500) await raw.send(...requests.slice(i, i + 500));

  const shown = page.locator('#records-count');
  await page.locator('#records-count', { hasText: '100,000 documents' }).waitFor();
  const longest = async () => {
    await page.evaluate(() => {
      globalThis.longest = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
      }).observe({ entryTypes: ['longtask'] });
    });
    const filter = page.getByLabel('Filter the index');
    await filter.fill('');
    await filter.pressSequentially('mail 99', { delay: 30 });
    await page.locator('#records-count', { hasText: `${matching.toLocaleString('en')} of 100,000` }).waitFor();
    await filter.fill('');
    await page.locator('#records-count', { hasText: /^100,000/ }).waitFor();
    await page.evaluate(async () => {
      const scroller = document.querySelector('#records .scroller');
      for (let i = 0; i < 40; i += 1) {
        scroller.scrollTop += 8000;
        await new Promise(requestAnimationFrame);
      }
      scroller.scrollTop = scroller.scrollHeight;
    });
    return page.evaluate(() => globalThis.longest);
  };
  let least = Infinity;
  for (let i = 0; i < ATTEMPTS && least > FRAME; i += 1) least = Math.min(least, await longest());
  assert.ok(least <= FRAME, `a frame took ${least} ms`);
  await page.locator('#records .number', { hasText: /^100000$/ }).waitFor();
  await shoot(page, 'records');
  assert.ok((await page.locator('#records .row').count()) < 100, 'only the rows in sight exist');
  assert.match(await shown.textContent(), /100,000 records/);
  raw.end();
  await page.locator('#records-count', { hasText: /^0 documents/ }).waitFor();
  await close(page);
  await server.end();
});

test('the page comes back after the server', async () => {
  const server = await startServer();
  const page = await open(server.page);
  const peer = await startPeer(server, 'rfcs');
  await circle(page, peer.name).waitFor();
  await server.end('SIGKILL');
  await page.locator('#status', { hasText: 'Not connected' }).waitFor();
  await shoot(page, 'lost');
  const again = await startServer(server.port, new URL(server.page).port);
  await page.locator('#status', { hasText: 'Live' }).waitFor();
  await circle(page, peer.name).waitFor();
  await page.locator('#records .row', { hasText: '2345' }).waitFor();
  await close(page);
  await peer.end();
  await again.end();
});

test('every size, light and dark', async () => {
  const server = await startServer();
  const peers = [];
  for (const dir of ['rfcs', 'rfcs/peer2']) peers.push(await startPeer(server, dir));
  const raw = await Promise.all(Array.from({ length: 5 }, () => RawPeer.connect(server)));
  for (const [i, one] of raw.entries()) await one.send(add(7000 + i, `Document ${i}`, 40001 + i));
  for (const [name, viewport] of Object.entries({ phone: PHONE, wide: WIDE, projector: { width: 1280, height: 720 } })) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(server.page, { viewport, colorScheme, reducedMotion: 'reduce' });
      await circle(page, 'localhost:40005').waitFor();
      await check(page);
      await shoot(page, `${name}-${colorScheme}`);
      await page.getByRole('button', { name: 'Large' }).click();
      await check(page);
      await shoot(page, `${name}-${colorScheme}-large`);
      await close(page);
    }
  }
  raw.forEach((one) => one.end());
  await server.end();
});

test('300 peers: 199 circles, and one for the rest', async () => {
  const server = await startServer(0, 0, '-q');
  const raw = await Promise.all(Array.from({ length: 300 }, () => RawPeer.connect(server)));
  await Promise.all(raw.map((one, i) => one.send(add(i + 1, `Document ${i + 1}`, 41001 + i))));
  const page = await open(server.page);
  await page.locator('.node.rest', { hasText: '+101' }).waitFor();
  await Promise.all(raw.map((one, i) => one.send(lookup(i + 1, 41001 + i))));
  await page.locator('.flight').first().waitFor();
  await shoot(page, 'crowd');
  await page.locator('.node.rest').click();
  await page.locator('#details', { hasText: '101 more peers' }).waitFor();
  raw.forEach((one) => one.end());
  await page.locator('.node').first().waitFor({ state: 'detached' });
  await close(page);
  await server.end();
});

test('a peer: found and downloaded by a click, opened as text', async () => {
  const server = await startServer();
  const far = folder();
  cpSync('rfcs/peer2', far, { recursive: true });
  writeFileSync(path.join(far, 'rfc666.txt'), `\n\n                        ${TITLE}\n\n<b>bold</b>\n`);
  await startPeer(server, far);
  const raw = await RawPeer.connect(server);
  await raw.send(add(667, TITLE, 40001));
  const near = folder();
  const peer = await startPeer(server, near, '--web', '0');
  const [address, token] = (await peer.expect(/(http:\/\/\S+#token=\S+)/)).split('#token=');

  const page = await open(`${address}#token=${token}`);
  assert.equal(page.url(), address, 'a projector does not show the token');
  await page.locator('.node.index', { hasText: 'index' }).waitFor();
  await page.getByLabel('Words of a title').fill('proferred');
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('button', { name: 'Get RFC 123' }).click();
  await page.locator('#folder .row', { hasText: 'A Proferred Official ICP' }).waitFor();
  await page.locator('#transfers .done', { hasText: 'RFC 123' }).waitFor();
  await page.locator('#records .row', { hasText: '123' }).getByText(peer.name).waitFor();
  await page.getByRole('button', { name: 'List all' }).click();
  await page.locator('[data-count="records"] dd', { hasText: /^5$/ }).waitFor();
  await page.getByRole('button', { name: 'Get RFC 666' }).click();
  await page.locator('#folder .row', { hasText: '666' }).waitFor();
  await page.locator('#records .row', { hasText: '666' }).getByText(peer.name).waitFor();
  await page.locator('[data-count="records"] dd', { hasText: /^6$/ }).waitFor();
  await page.getByRole('link', { name: 'Open RFC 666' }).waitFor();
  await page.locator('#records .row', { hasText: TITLE }).waitFor();
  await shoot(page, 'peer');
  await check(page);

  const [document] = await Promise.all([
    page.context().waitForEvent('page'),
    page.locator('#folder .row', { hasText: '666' }).getByRole('link').click(),
  ]);
  await document.waitForLoadState();
  assert.equal(await document.evaluate(() => globalThis.document.contentType), 'text/plain');
  assert.match(await document.locator('body').textContent(), /<b>bold<\/b>/);
  await document.close();
  await page.setViewportSize(PHONE);
  await check(page);
  await shoot(page, 'peer-phone');
  await close(page);

  const stranger = await open(address);
  await stranger.getByRole('button', { name: 'List all' }).click();
  await stranger.getByLabel(/needs the token/).waitFor();
  await close(stranger);
  raw.end();
  await peer.end();
  await server.end();
});

test('no label is behind the center or outside', async () => {
  const server = await startServer();
  const peer = await startPeer(server, folder(), '--web', '0');
  const page = await open(await peer.expect(/(http:\/\/\S+#token=\S+)/), { reducedMotion: 'reduce' });
  const others = [];
  for (let n = 1; n <= 7; n += 1) {
    const raw = await RawPeer.connect(server);
    await raw.send(add(n, 'A title', 43148 + n));
    others.push(raw);
    await page.getByRole('button', { name: 'List all' }).click();
    await page.waitForFunction((wanted) => document.querySelectorAll('.node').length === wanted, n + 1);
    for (const viewport of [{ width: 1280, height: 900 }, { width: 1280, height: 720 }, { width: 1024, height: 700 }, WIDE]) {
      await page.setViewportSize(viewport);
      // What changes the picture is drawn in the frame after it.
      await page.evaluate(() => new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); }));
      const covered = await page.evaluate(() => {
        const boxOf = (element) => element.getBoundingClientRect();
        const [stage, core] = [boxOf(document.querySelector('#stage svg')), boxOf(document.querySelector('.core rect'))];
        const isBehind = (box) => box.left < core.right && box.right > core.left && box.top < core.bottom && box.bottom > core.top;
        const isInside = (box) => box.left >= stage.left && box.right <= stage.right && box.top >= stage.top && box.bottom <= stage.bottom;
        const labels = [...document.querySelectorAll('.node .below')].filter((label) => label.textContent);
        return labels.filter((label) => isBehind(boxOf(label)) || !isInside(boxOf(label))).map((label) => label.textContent);
      });
      assert.deepEqual(covered, [], `${n} peers at ${viewport.width}x${viewport.height}`);
    }
  }
  await close(page);
  for (const raw of others) raw.end();
  await peer.end();
  await server.end();
});

test('on an address that others reach, reading needs the token too', async () => {
  const server = await startServer();
  const dir = folder();
  writeFileSync(path.join(dir, 'rfc7.txt'), 'Seven <b>bold</b>\n');
  const peer = await startPeer(server, dir, '--web', '0.0.0.0:0');
  const [, port, token] = /http:\/\/\S+:(\d+)\/#token=(\S+)/.exec(await peer.expect(/(http:\/\/\S+#token=\S+)/));
  const page = await open(`http://127.0.0.1:${port}/`, {}, 'Token needed');
  await page.getByLabel(/needs the token/).fill(token);
  await page.keyboard.press('Enter');
  await page.locator('#status', { hasText: 'Live' }).waitFor();
  const [document] = await Promise.all([
    page.context().waitForEvent('page'),
    page.locator('#folder .row', { hasText: '7' }).getByRole('link').click(),
  ]);
  await document.waitForURL(/^blob:/);
  assert.equal(await document.evaluate(() => globalThis.document.contentType), 'text/plain');
  assert.match(await document.locator('body').textContent(), /Seven <b>bold<\/b>/);
  await document.close();
  await close(page);
  await peer.end();
  await server.end();
});

test('the other kinds of index', async () => {
  for (const kind of ['distributed', 'dht']) {
    const server = await startServer(0, 0, '--index', kind);
    const near = folder();
    const peer = await startPeer(server, near, '--index', kind, '--web', '0');
    const other = await startPeer(server, 'rfcs/peer2', '--index', kind);
    const page = await open(server.page);
    // An introducer knows nodes of the hash table by their addresses.
    const known = (name) => (kind === 'dht' ? name.replace('localhost', '127.0.0.1') : name);
    await circle(page, known(peer.name)).waitFor();
    await circle(page, known(other.name)).waitFor();
    await check(page);
    await shoot(page, kind);
    await close(page);
    const own = await open(await peer.expect(/(http:\/\/\S+#token=\S+)/));
    await own.getByLabel('Words of a title').fill('proferred');
    await own.getByRole('button', { name: 'Find' }).click();
    await own.getByRole('button', { name: 'Get RFC 123' }).click();
    await own.locator('#transfers .done', { hasText: 'RFC 123' }).waitFor();
    await own.locator('#messages .row', { hasText: 'GET' }).first().waitFor();
    const port = other.name.split(':')[1];
    assert.equal(await own.locator(`.node[data-name$=":${port}"]`).count(), 1, 'a holder is one circle');
    await shoot(own, `${kind}-peer`);
    await check(own);
    await close(own);
    await other.end();
    await peer.end();
    await server.end();
  }
});

test('the picture in README', { skip: !process.env.PICTURE }, async () => {
  const server = await startServer();
  await startPeer(server, 'rfcs');
  await startPeer(server, 'rfcs/peer2');
  const titles = ['Internet Protocol', 'Transmission Control Protocol', 'Simple Mail Transfer Protocol', 'Domain Names - Concepts',
    'Hypertext Transfer Protocol', 'The Secure Shell Transport Layer'];
  const numbers = [791, 793, 821, 1034, 1945, 4253];
  const raw = await Promise.all(titles.map(() => RawPeer.connect(server)));
  for (const [i, one] of raw.entries()) {
    await one.send(...titles.slice(i).map((title, k) => add(numbers[i + k], title, 40001 + i)));
  }
  const page = await open(server.page, { viewport: { width: 1440, height: 840 } });
  await circle(page, 'localhost:40006').waitFor();
  await raw[2].send(lookup(791, 40003));
  await page.locator('#messages .row', { hasText: 'LOOKUP' }).click();
  await page.waitForFunction(() => !document.querySelector('.flight'));
  await page.getByRole('button', { name: 'Pause' }).click();
  const list = 'LIST ALL P2P-CI/1.0\r\nHost: localhost\r\nPort: 40005\r\n\r\n';
  for (const [i, request] of [[0, lookup(793, 40001)], [1, lookup(9999, 40002)], [3, lookup(821, 40004)], [4, list]]) {
    await raw[i].send(request);
  }
  await page.getByRole('button', { name: 'Catch up (8)' }).waitFor();
  // Two answers are on their way when the next two requests leave.
  const next = async (times) => {
    for (let i = 0; i < times; i += 1) await page.getByRole('button', { name: 'Next' }).click();
  };
  await next(4);
  await page.locator('.flight.refusal').waitFor();
  await next(3);
  await page.mouse.move(0, 0);
  // Only the looks depend on this time.
  await page.waitForTimeout(500);
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 85 });
  writeFileSync(process.env.PICTURE, Buffer.from(data, 'base64'));
  await close(page);
  await server.end();
});
