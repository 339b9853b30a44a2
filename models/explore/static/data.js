// What the page is told (models/explore/run.py writes it), as typed arrays.
const data = JSON.parse(document.getElementById("data").textContent);

function unpack(text, Kind) {
  if (text === undefined) return new Kind(0);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

const hyperbolic = data.space === "hyperbolic";
const Space = hyperbolic ? Geometry : Flat;

// Where all points are, in polar coordinates, and the share of its length at which r is drawn.
function layoutOf(text, name, note, share) {
  const polar = unpack(text, Float64Array), count = polar.length / 2;
  const r = new Float64Array(count), t = new Float64Array(count);
  let farthest = 0;
  for (let i = 0; i < count; i++) {
    r[i] = polar[2 * i];
    t[i] = polar[2 * i + 1];
    farthest = Math.max(farthest, r[i]);
  }
  return { name, note, r, t, farthest, share: share ?? 1 / (farthest || 1) };
}

const layouts = [layoutOf(data.polar, "Points", data.note, hyperbolic ? data.share : undefined)];
if (data.tree) {
  layouts.push(layoutOf(data.tree, "Tree", "Drawn are the edges themselves, a shortest way from each point to a root, " +
    "all of one length; where the points are counts for nothing here. Distances in words are those of the points.", 1));
}

const nodes = (() => {
  const count = data.names.length;
  const near = unpack(data.near, Uint32Array);
  return {
    count, near, radius: unpack(data.radius, Float32Array), names: data.names, k: near.length / Math.max(count, 1),
    distance: unpack(data.distance, Float32Array), up: unpack(data.up, Int32Array),
    order: unpack(data.order, Uint32Array), depth: unpack(data.depth, Uint16Array),
    below: unpack(data.below, Uint32Array),
  };
})();

const edges = (() => {
  const parent = unpack(data.parent, Uint32Array), child = unpack(data.child, Uint32Array);
  const lower = new Map();
  for (let e = 0; e < parent.length; e++) {
    if (!lower.has(parent[e])) lower.set(parent[e], []);
    lower.get(parent[e]).push(child[e]);
  }
  return { count: parent.length, parent, child, below: (i) => lower.get(i) || [] };
})();

// The way to the root, or inwards, from a node on: itself first.
function wayOf(i) {
  const way = [i], seen = new Set(way);
  while (nodes.up[i] >= 0 && !seen.has(nodes.up[i])) {
    i = nodes.up[i];
    way.push(i);
    seen.add(i);
  }
  return way;
}

function nearOf(i) {
  const found = [];
  for (let j = i * nodes.k; j < (i + 1) * nodes.k; j++) {
    found.push({ node: nodes.near[j], distance: nodes.distance[j] });
  }
  return found;
}

// Ways to colour: each node a class, each class a name.
const schemes = (() => {
  const made = data.groups.map((group) => ({
    title: group.title, names: group.names, of: unpack(group.of, Uint8Array), ordered: false,
  }));
  const bins = 8;
  if (edges.count) {
    const deepest = nodes.depth.reduce((a, b) => Math.max(a, b), 0);
    const width = Math.ceil((deepest + 1) / bins);
    const names = [];
    for (let low = 0; low <= deepest; low += width) {
      const high = Math.min(low + width - 1, deepest);
      names.push(low === high ? `${low}` : `${low} to ${high}`);
    }
    made.push({ title: "Depth", names, ordered: true, of: nodes.depth.map((d) => Math.floor(d / width)) });
  }
  const step = nodes.radius.reduce((a, b) => Math.max(a, b), 0) * data.unit / bins || 1;
  made.push({
    title: "Distance from the middle", ordered: true,
    names: Array.from({ length: bins }, (_, k) => `${(k * step).toPrecision(2)} to ${((k + 1) * step).toPrecision(2)}`),
    of: Uint8Array.from(nodes.radius, (r) => Math.min(bins - 1, Math.floor(r * data.unit / step))),
  });
  return made;
})();

const length = (d) => (Math.abs(d) < 100 ? d.toFixed(2) : d.toPrecision(4)).replace("-", "−");
