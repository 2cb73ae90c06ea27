// Where peers stand around the center: on one ellipse while they fit, then on several.

// Of the radius of a peer: from one to the next on a ring, and from ring to ring.
const BESIDE = 3;
const BEHIND = 2.9;
// A few peers are not spread over a whole wall.
const FEW = 12;
const WIDEST = 2.1;
const SAMPLES = 360;

/**
 * Places for `n` peers in a box, in order: `{ radius, spacing, places: [{ x, y }] }` with (0, 0) in the middle.
 * `unit` is the size of text in pixels, `label` the longest one's width, `core` the center's half height.
 */
export function arrange(n, { width, height, unit, label, core }) {
  const wanted = unit * (n <= 6 ? 2 : n <= FEW ? 1.5 : n <= 30 ? 1.05 : n <= 80 ? 0.75 : 0.55);
  const radius = Math.min(wanted, height / 13);
  const side = Math.max(radius, n <= 30 ? label / 2 : 0) + unit * 0.5;
  const b = Math.max(height / 2 - radius - unit * 2, 40);
  const a = Math.min(Math.max(width / 2 - side, 40), n <= FEW ? Math.max(b * WIDEST, unit * 14) : Infinity);
  const rings = [];
  let room = 0;
  for (let k = 0; room < n; k += 1) {
    const inner = k * radius * BEHIND;
    if (k > 0 && b - inner < core + radius) break;
    const ring = ellipse(a - inner, b - inner);
    room += Math.floor(ring.length / (radius * BESIDE));
    rings.push(ring);
  }
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
  return { radius, spacing, places };
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
