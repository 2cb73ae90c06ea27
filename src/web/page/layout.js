// Where peers stand around the center: on one ellipse while they fit, then on several.

// Of the radius of a peer: from one to the next on a ring, and from ring to ring.
const BESIDE = 3;
const BEHIND = 2.9;
// Circles are smaller where they would not fit: on one ring down to this part of what they should
// be, and on several down to this part of the size of text.
const SHRINK = 0.9;
const SMALLEST_ON_ONE = 0.55;
const SMALLEST = 0.35;
// A few peers are not spread over a whole wall.
export const FEW = 12;
const WIDEST = 2.1;
const SAMPLES = 360;

/**
 * Places for `n` peers in a box, in order: `{ radius, spacing, isOneRing, places: [{ x, y }] }` with (0, 0) in the
 * middle. `unit` is the size of text in pixels, `label` the longest one's width, `core` half the center's width and height.
 */
export function arrange(n, box) {
  const { width, height, unit } = box;
  const usual = unit * (n <= 6 ? 2 : n <= FEW ? 1.5 : n <= 30 ? 1.05 : n <= 80 ? 0.75 : 0.55);
  const wanted = Math.min(usual, height / (n <= 6 ? 10 : 13), width / 15);
  const one = fit(n, box, wanted, wanted * SMALLEST_ON_ONE, 1);
  const { radius, rings } = one.room >= n ? one : fit(n, box, wanted, unit * SMALLEST, Infinity);
  const total = rings.reduce((sum, ring) => sum + ring.length, 0);
  const places = [];
  let spacing = Infinity;
  let left = n;
  rings.forEach((ring, k) => {
    const share = k === rings.length - 1 ? left : Math.min(left, Math.round((n * ring.length) / total));
    left -= share;
    if (share > 0) spacing = Math.min(spacing, ring.length / share);
    // Every other ring is turned by half a step, so that lines pass between its peers.
    for (let i = 0; i < share; i += 1) places.push(ring.at((i + (k % 2) / 2) / share));
  });
  return { radius, spacing, isOneRing: rings.length === 1, places };
}

/** The largest circles of which `n` fit on at most `most` rings; the smallest if none do. */
function fit(n, box, wanted, least, most) {
  let radius = wanted;
  let found = ringsFor(n, box, radius, most);
  while (found.room < n && radius * SHRINK >= least) {
    radius *= SHRINK;
    found = ringsFor(n, box, radius, most);
  }
  return { radius, ...found };
}

/** As many rings as `n` circles need, from the outer one on, while they lie around the center. */
function ringsFor(n, { width, height, unit, label, core }, radius, most) {
  const side = Math.max(radius, n <= 30 ? label / 2 : 0) + unit;
  const b = Math.max(height / 2 - radius - unit * 2, 40);
  const a = Math.min(Math.max(width / 2 - side, 40), n <= FEW ? Math.max(b * WIDEST, unit * 14) : Infinity);
  const rings = [];
  let room = 0;
  for (let k = 0; room < n && k < most; k += 1) {
    const inner = k * radius * BEHIND;
    const [x, y] = [(core.width + radius) / (a - inner), (core.height + radius) / (b - inner)];
    const isAround = a > inner && b > inner && x * x + y * y < 1;
    if (k > 0 && !isAround) break;
    const ring = ellipse(a - inner, b - inner);
    room += Math.floor(ring.length / (radius * BESIDE));
    rings.push(ring);
  }
  return { rings, room };
}

/** Equal steps along the curve, from the left and clockwise. */
function ellipse(a, b) {
  const points = [];
  const lengths = [0];
  for (let i = 0; i <= SAMPLES; i += 1) {
    const angle = Math.PI + (2 * Math.PI * i) / SAMPLES;
    points.push({ x: a * Math.cos(angle), y: b * Math.sin(angle) });
    if (i > 0) lengths.push(lengths[i - 1] + Math.hypot(points[i].x - points[i - 1].x, points[i].y - points[i - 1].y));
  }
  const length = lengths[SAMPLES];
  const at = (part) => {
    const wanted = (part % 1) * length;
    const i = Math.max(1, lengths.findIndex((l) => l >= wanted));
    const t = (wanted - lengths[i - 1]) / (lengths[i] - lengths[i - 1]);
    const [p, q] = [points[i - 1], points[i]];
    return { x: p.x + (q.x - p.x) * t, y: p.y + (q.y - p.y) * t };
  };
  return { length, at };
}
