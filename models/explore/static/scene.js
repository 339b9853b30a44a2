// Drawing: from a view and a camera to pixels. Lengths are CSS pixels; y grows downwards.
const canvas = document.getElementById("canvas");
const paint = canvas.getContext("2d", { alpha: false });

// Okabe and Ito's colours in tones that stand out from either ground; the last is "other".
const PALETTES = {
  light: {
    groups: ["#0069a8", "#cf5200", "#00835f", "#b04a8b", "#b57800", "#3391cf", "#6a4c93", "#7c8188"],
    steps: ["#440154", "#46307e", "#3b518b", "#2d708e", "#21908d", "#27ad81", "#5cc863", "#a5cb2d"],
  },
  dark: {
    groups: ["#4aa8e8", "#ff8a3d", "#2cc79a", "#e58cc0", "#f0b429", "#8fd0ff", "#b39ddb", "#8b939d"],
    steps: ["#fde725", "#b5de2b", "#6ece58", "#35b779", "#1f9e89", "#3189a0", "#4a78b0", "#7468b8"],
  },
};

const scene = {
  width: 0, height: 0, ratio: 1,
  view: Space.home(), camera: { k: 1, x: 0, y: 0 }, fit: { k: 1, x: 0, y: 0 },
  layout: layouts[0], share: layouts[0].share,
  points: null,
  z: new Float64Array(2 * nodes.count),
  x: new Float32Array(nodes.count), y: new Float32Array(nodes.count),
  near: new Float32Array(nodes.count), // the conformal factor of the disk, 1 in the middle
  size: new Float32Array(nodes.count), // radius of the dot, 0 if it is not drawn
  weight: new Float32Array(nodes.count),
  scheme: schemes[0], hidden: new Set(), colours: [], theme: "light",
  selected: -1, hovered: -1, way: [], nearest: [],
  moving: false, labels: [],
  covered: [], // boxes of the page that lie over the picture
};

const picture = data.pictures && { ...data.pictures, of: unpack(data.pictures.of, Int32Array), image: new Image() };
const pictureOf = (i) => (picture ? picture.of[i] : -1);

function reshape() {
  scene.points = Space.prepare(scene.layout.r.map((r) => r * scene.share), scene.layout.t);
  const most = nodes.below.reduce((a, b) => Math.max(a, b), 0);
  const few = Math.min(5, Math.max(1.7, 52 / nodes.count ** 0.36));
  for (let i = 0; i < nodes.count; i++) {
    const general = most ? Math.log1p(nodes.below[i]) / Math.log1p(most) : 0;
    scene.weight[i] = few * (0.8 + 1.1 * general);
  }
}

function recolour() {
  const names = scene.scheme.names, palette = PALETTES[scene.theme];
  if (scene.scheme.ordered) {
    const n = Math.max(names.length - 1, 1);
    scene.colours = names.map((_, k) => palette.steps[Math.round((k * (palette.steps.length - 1)) / n)]);
  } else {
    scene.colours = names.map((name, k) => (name === "other" ? palette.groups[7] : palette.groups[k % 8]));
  }
  const style = getComputedStyle(document.documentElement);
  scene.ink = Object.fromEntries(["paper", "disk", "rim", "ink", "soft", "accent", "line"]
    .map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  dots.clear();
  // Edges by the class of their lower end, so that each class is one path.
  const of = scene.scheme.of;
  scene.edges = Array.from({ length: edges.count }, (_, e) => e).sort((a, b) => of[edges.child[a]] - of[edges.child[b]]);
}

const shown = (i) => !scene.hidden.has(scene.scheme.of[i]);

function project() {
  Space.placeAll(scene.view, scene.points, scene.z);
  const { k, x, y } = scene.camera, z = scene.z;
  const zoom = k / scene.fit.k, small = Math.min(1.15, Math.sqrt(scene.fit.k / 380));
  for (let i = 0; i < nodes.count; i++) {
    const u = z[2 * i], v = z[2 * i + 1];
    scene.x[i] = x + k * u;
    scene.y[i] = y - k * v;
    const f = hyperbolic ? Math.max(0, 1 - u * u - v * v) : 1;
    scene.near[i] = f;
    scene.size[i] = scene.weight[i] * small * Math.sqrt(Math.min(1.5, f * zoom)) + 0.35;
  }
}

// A geodesic between two nodes into a path; false if it is too short or out of sight.
function geodesic(path, a, b, least) {
  const ax = scene.x[a], ay = scene.y[a], bx = scene.x[b], by = scene.y[b];
  const dx = bx - ax, dy = by - ay, span = Math.abs(dx) + Math.abs(dy);
  if (span < least) return false;
  // An arc stays within half of its chord of the chord's box.
  const w = scene.width + span / 2, h = scene.height + span / 2;
  if ((ax < -span / 2 && bx < -span / 2) || (ay < -span / 2 && by < -span / 2) || (ax > w && bx > w) || (ay > h && by > h)) return false;
  path.moveTo(ax, ay);
  let bend = 0;
  if (hyperbolic) {
    const z = scene.z, px = z[2 * a], py = z[2 * a + 1], qx = z[2 * b], qy = z[2 * b + 1];
    bend = -Math.atan2(py * qx - px * qy, 1 - px * qx - py * qy); // as Geometry.arc, upside down
  }
  curve(path, ax, ay, bx, by, bend, span);
  return true;
}

function curve(path, ax, ay, bx, by, bend, span) {
  if (Math.abs(bend) * span < 1.2) return path.lineTo(bx, by);
  if (Math.abs(bend) > Math.PI / 4) {
    const half = Math.tan(bend / 2) / 2;
    const mx = (ax + bx) / 2 + (by - ay) * half, my = (ay + by) / 2 - (bx - ax) * half;
    curve(path, ax, ay, mx, my, bend / 2, span / 2);
    return curve(path, mx, my, bx, by, bend / 2, span / 2);
  }
  const c = Geometry.controls(ax, ay, bx, by, bend);
  return path.bezierCurveTo(c[0], c[1], c[2], c[3], bx, by);
}

const WIDTHS = [{ from: 0, width: 0.5, alpha: 0.34 }, { from: 0.12, width: 0.8, alpha: 0.46 }, { from: 0.45, width: 1.2, alpha: 0.52 }];

const MOST_MOVING = 2500;
const rank = new Uint32Array(nodes.count);
nodes.order.forEach((i, k) => { rank[i] = k; });

function drawEdges() {
  const least = edges.count > 5000 ? (scene.moving ? 5 : 1.6) : 1;
  const last = scene.moving ? MOST_MOVING : Infinity; // while it moves, those of general nodes
  const zoom = scene.camera.k / scene.fit.k, of = scene.scheme.of;
  const faint = Math.min(1, Math.max(0.42, (1500 / edges.count) ** 0.35)); // many cover more
  let e = 0;
  while (e < scene.edges.length) {
    const kind = of[edges.child[scene.edges[e]]];
    const paths = [null, null, null];
    for (; e < scene.edges.length; e++) {
      const a = edges.parent[scene.edges[e]], b = edges.child[scene.edges[e]];
      if (of[b] !== kind) break;
      if (rank[b] > last || scene.hidden.has(kind) || !shown(a)) continue;
      const f = Math.min(1, (zoom * (scene.near[a] + scene.near[b])) / 2);
      const tier = f < WIDTHS[1].from ? 0 : f < WIDTHS[2].from ? 1 : 2;
      paths[tier] ||= new Path2D();
      geodesic(paths[tier], a, b, least);
    }
    paint.strokeStyle = scene.colours[kind];
    for (let tier = 0; tier < 3; tier++) {
      if (!paths[tier]) continue;
      paint.lineWidth = Math.min(WIDTHS[tier].width, edges.count > 5000 ? 1 : 2); // up to 1 is much quicker
      paint.globalAlpha = WIDTHS[tier].alpha * faint;
      paint.stroke(paths[tier]);
    }
  }
  paint.globalAlpha = 1;
}

// One pixel is taken by the most general node on it: what piles up at the rim is drawn once.
let taken = new Uint8Array(0);
const drawn = new Uint32Array(nodes.count);

// Dots as small pictures, a colour and a size each, which are quicker than circles.
const dots = new Map();

function dotOf(kind, size) {
  const key = kind * 64 + Math.min(63, Math.round(size * 4));
  if (!dots.has(key)) {
    const radius = (key % 64) / 4, ground = radius > 2.4 ? 1.1 : 0;
    const side = Math.ceil(2 * (radius + ground)) + 2;
    const made = document.createElement("canvas");
    made.width = made.height = Math.ceil(side * scene.ratio);
    const brush = made.getContext("2d");
    brush.scale(scene.ratio, scene.ratio);
    const middle = made.width / scene.ratio / 2;
    const circle = (r, colour) => {
      brush.beginPath();
      brush.arc(middle, middle, r, 0, 2 * Math.PI);
      brush.fillStyle = colour;
      brush.fill();
    };
    if (ground) circle(radius + ground, scene.ink.disk);
    circle(radius, scene.colours[kind]);
    dots.set(key, { made, middle, side: made.width / scene.ratio });
  }
  return dots.get(key);
}

function drawPoints() {
  const w = Math.ceil(scene.width), h = Math.ceil(scene.height), of = scene.scheme.of;
  if (taken.length !== w * h) taken = new Uint8Array(w * h);
  else taken.fill(0);
  let count = 0;
  const coarse = scene.moving && nodes.count > 2 * MOST_MOVING ? 1 : 0; // then of four pixels one
  for (const i of nodes.order) {
    const x = scene.x[i], y = scene.y[i], s = scene.size[i];
    if (!(x > -s && y > -s && x < w + s && y < h + s) || scene.hidden.has(of[i])) continue;
    const cell = (Math.min(h - 1, Math.max(0, y)) >> coarse) * w + (Math.min(w - 1, Math.max(0, x)) >> coarse);
    if (taken[cell] && s < 3) continue;
    taken[cell] = 1;
    drawn[count++] = i;
  }
  // The least general first, the largest on top. Small ones are squares on whole pixels.
  const least = (coarse ? 2.4 : 1.25) / scene.ratio;
  let colour = -1;
  for (let k = count - 1; k >= 0; k--) {
    const i = drawn[k], s = scene.size[i], kind = of[i];
    if (s < least) {
      if (kind !== colour) paint.fillStyle = scene.colours[kind];
      colour = kind;
      const side = Math.max(1, Math.round(1.7 * s));
      paint.fillRect(Math.round(scene.x[i] - side / 2), Math.round(scene.y[i] - side / 2), side, side);
    }
  }
  for (let k = count - 1; k >= 0; k--) {
    const i = drawn[k], s = scene.size[i];
    if (s < least) continue;
    const { made, middle, side } = dotOf(of[i], s);
    paint.drawImage(made, scene.x[i] - middle, scene.y[i] - middle, side, side);
  }
}

function dot(path, i, size) {
  path.moveTo(scene.x[i] + size, scene.y[i]);
  path.arc(scene.x[i], scene.y[i], size, 0, 2 * Math.PI);
}

function drawSelection() {
  const ring = (i, size, width) => {
    const path = new Path2D();
    dot(path, i, size);
    paint.fillStyle = scene.colours[scene.scheme.of[i]];
    paint.fill(path);
    paint.lineWidth = width;
    paint.strokeStyle = scene.ink.ink;
    paint.stroke(path);
  };
  if (scene.selected >= 0) {
    const near = new Path2D(), way = new Path2D();
    for (const { node } of scene.nearest) geodesic(near, scene.selected, node, 1);
    for (let j = 1; j < scene.way.length; j++) geodesic(way, scene.way[j - 1], scene.way[j], 0.5);
    paint.lineCap = "round";
    paint.lineWidth = 1.4;
    paint.strokeStyle = scene.ink.soft;
    paint.setLineDash([1, 4.5]);
    paint.stroke(near);
    paint.setLineDash([]);
    paint.strokeStyle = scene.ink.disk;
    paint.lineWidth = 6;
    paint.stroke(way);
    paint.strokeStyle = scene.ink.accent;
    paint.lineWidth = 2.6;
    paint.stroke(way);
    for (const { node } of scene.nearest) ring(node, Math.max(3, scene.size[node]), 1.2);
    for (const i of scene.way) ring(i, Math.max(3.2, scene.size[i]), 1.6);
    ring(scene.selected, Math.max(6, scene.size[scene.selected] + 1.5), 2.4);
  }
  if (scene.hovered >= 0) ring(scene.hovered, Math.max(5, scene.size[scene.hovered] + 1.5), 1.8);
}

function draw() {
  project();
  const { width, height, camera, ink } = scene;
  paint.setTransform(scene.ratio, 0, 0, scene.ratio, 0, 0);
  paint.fillStyle = hyperbolic ? ink.paper : ink.disk;
  paint.fillRect(0, 0, width, height);
  if (hyperbolic) {
    paint.beginPath();
    paint.arc(camera.x, camera.y, camera.k, 0, 2 * Math.PI);
    paint.fillStyle = ink.disk;
    paint.fill();
  }
  drawEdges();
  if (hyperbolic) {
    paint.beginPath();
    paint.arc(camera.x, camera.y, camera.k, 0, 2 * Math.PI);
    paint.strokeStyle = ink.rim;
    paint.lineWidth = 1.5;
    paint.stroke();
  }
  drawPoints();
  drawSelection();
  drawLabels();
}
