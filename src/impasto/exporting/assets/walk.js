// The way of a picture through the network, the same for every engine.
"use strict";

// What a site does besides: how its values end (0 as they are, 1 by ReLU, 2 by the sigmoid), and
// whether what it sees is enlarged to twice its sides first.
const endOf = ({ kind }) => (kind === "out" ? 2 : ["down", "first", "up"].includes(kind) ? 1 : 0);
const enlarges = ({ kind }) => kind === "up" || kind === "join";

// Down and across, an enlarged position has a share of its own value, of the nearer neighbour's and
// of the farther one's. Smoothing is that of a map that repeats its values: `SMOOTHING` in Python.
const sharesOf = ({ smooths }, [outer, inner, middle]) =>
  smooths ? [middle + inner, inner + outer, outer] : [1, 0, 0];
const MARGIN = 2; // positions beyond each edge that enlarging makes, too: they are no copy of it

// engine: has `network`, `step` (makes the next map) and `release` (a map that is done with).
// first: the picture's map. film: gains less 1 and biases of each site in turn.
function walk(engine, first, film) {
  const { sites } = engine.network;
  const joined = new Set(sites.filter((site) => site.kind === "join").map((site) => site.level));
  const cameDown = new Map();
  const kept = (map) => [...cameDown.values()].includes(map);
  let map = first;
  let trunk = null;
  let start = 0;
  sites.forEach((site, number) => {
    const before = map;
    if (site.kind === "first") trunk = map;
    const added = { second: trunk, join: cameDown.get(site.level) }[site.kind] ?? null;
    map = engine.step(site, number, before, added, film.subarray(start, start + 2 * site.outputs));
    start += 2 * site.outputs;
    if (before !== trunk && !kept(before)) engine.release(before);
    if (site.kind === "join") cameDown.delete(site.level);
    if (site.kind === "second") trunk = null;
    if (added && !kept(added)) engine.release(added);
    if (site.kind === "down" && joined.has(site.level)) cameDown.set(site.level, map);
  });
  return map;
}
