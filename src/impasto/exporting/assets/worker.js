// Beside the page, so that it stays alive: unpacks the network, measures what paints quickest here,
// and paints.
"use strict";

// What stands in the page, to sites with their kernels, and the films.
// packed: deflated bytes. plan: of page.py.
async function readNetwork(packed, plan) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const floats = (part) => new Float32Array(bytes.slice(part[0], part[0] + 4 * part[1]));
  const tile = floats(plan.noise);
  const sites = plan.sites.map((site) => {
    const { outputs, inputs, size } = site;
    const own = inputs * size * size;
    const scale = floats(site.scale);
    const count = outputs * own; // high bytes, then, at a multiple of 4, low ones
    const high = new Int8Array(bytes, site.kernel, count);
    const low = new Int8Array(bytes, site.kernel + ((count + 3) & ~3), count);
    const kernel = new Float32Array(count);
    for (let i = 0; i < count; i++) kernel[i] = (high[i] * 256 + low[i]) * scale[(i / own) | 0];
    return { ...site, kernel, noise: site.noise && noiseOf(tile, floats(site.noise), outputs) };
  });
  const films = plan.films.map((knots) => knots.map(floats));
  return { sites, films, stride: plan.stride, least: plan.least, epsilon: plan.epsilon,
    side: plan.noise_side, smoothing: plan.smoothing };
}

// What a kernel for the channels of the tile makes of it: for each position all outputs.
function noiseOf(tile, kernel, outputs) {
  const channels = kernel.length / outputs;
  const area = tile.length / channels;
  const found = new Float32Array(area * outputs);
  for (let place = 0; place < area; place++)
    for (let o = 0; o < outputs; o++)
      for (let channel = 0; channel < channels; channel++)
        found[place * outputs + o] += tile[channel * area + place] * kernel[o * channels + channel];
  return found;
}

// The film between the two knots on either side.
function filmAt(knots, strength) {
  const place = strength * (knots.length - 1);
  const below = Math.min(Math.floor(place), knots.length - 2);
  const share = place - below;
  return knots[below].map((value, i) => value + (knots[below + 1][i] - value) * share);
}

// Sides that the network takes: the edge is repeated on both sides, and cut off afterwards.
function around(network, width, height) {
  const sides = [width, height].map((side) => {
    const missing = (network.stride - (side % network.stride)) % network.stride;
    return Math.max(missing, network.least - side);
  });
  return { left: sides[0] >> 1, top: sides[1] >> 1, width: width + sides[0],
    height: height + sides[1] };
}

function moved(pixels, width, height, to) {
  if (to.width === width && to.height === height) return pixels;
  const found = new Uint8ClampedArray(to.width * to.height * 4);
  const from = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height);
  const into = new Uint32Array(found.buffer);
  for (let y = 0; y < to.height; y++) {
    const row = Math.min(Math.max(y - to.top, 0), height - 1) * width;
    for (let x = 0; x < to.width; x++)
      into[y * to.width + x] = from[row + Math.min(Math.max(x - to.left, 0), width - 1)];
  }
  return found;
}

const FAINT = 0.5; // below it the painting is mixed with the photograph: 0 is the photograph

async function paint(engine, network, { pixels, width, height, style, strength }) {
  const place = around(network, width, height);
  const film = filmAt(network.films[style], Math.max(strength, FAINT));
  const wide = moved(pixels, width, height, place);
  const whole = await engine.paint(wide, place.width, place.height, film);
  const back = { width, height, left: -place.left, top: -place.top };
  const painted = moved(whole, place.width, place.height, back);
  const share = Math.min(strength / FAINT, 1);
  for (let i = 0; i < pixels.length; i++)
    if (i % 4 === 3) painted[i] = pixels[i];
    else if (share < 1) painted[i] = pixels[i] + (painted[i] - pixels[i]) * share;
  return painted;
}

// A made-up picture: something everywhere, the same in every browser.
function trial(width, height) {
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      pixels.set([128 + 100 * Math.sin(x / 9 + y / 31), 128 + 90 * Math.sin(x * y / 300),
        40 + (180 * y) / height, 255], (y * width + x) * 4);
  return { pixels, width, height, style: 0, strength: 1 };
}

const TRIAL = [256, 192];
const SMALL = [64, 48]; // a sixteenth of it

async function timed(engine, network, order) {
  const start = performance.now();
  const pixels = await paint(engine, network, order);
  return { pixels, milliseconds: performance.now() - start };
}

function difference(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += Math.abs(one[i] - other[i]);
  return sum / (one.length * 0.75);
}

// Each engine on the same picture, the quickest first; one that paints something else than the
// first that was made is not used.
async function measured(network, modules) {
  const found = [];
  const refused = [];
  let judge = null;
  for (const [kind, make] of ENGINES) {
    try {
      const engine = await make(network, modules);
      await paint(engine, network, trial(...SMALL)); // what is made once is not timed
      const small = await timed(engine, network, trial(...SMALL));
      judge ??= small.pixels;
      if (difference(judge, small.pixels) > 1) throw new Error("it paints wrongly here");
      const about = 16 * small.milliseconds; // which is enough to know of an engine far behind
      const behind = found.some((one) => about > 10 * one.milliseconds);
      const whole = behind ? about : (await timed(engine, network, trial(...TRIAL))).milliseconds;
      found.push({ kind, engine, milliseconds: whole });
    } catch (error) {
      refused.push({ kind, why: error.message });
    }
  }
  found.sort((one, other) => one.milliseconds - other.milliseconds);
  return { found, refused };
}

const ENGINES = [["WebAssembly", WasmEngine.make], ["WebGPU", WebgpuEngine.make],
  ["WebGL", WebglEngine.make]];

let ready = null;

async function start({ packed, plan, modules }) {
  const network = await readNetwork(packed, plan);
  const { found, refused } = await measured(network, modules);
  if (!found.length) throw new Error(refused.map((one) => one.why).join("; "));
  ready = { network, engines: found };
  postMessage({ kind: "ready", size: TRIAL, refused,
    engines: found.map(({ kind, milliseconds }) => ({ kind, milliseconds })) });
}

// By the engine that is asked for. Where it fails, as a graphics processor does that was taken away
// or that has too little memory, by the others, the quickest first.
async function paintedBySome(order) {
  const { network, engines } = ready;
  const others = engines.filter(({ kind }) => kind !== order.engine);
  let problem = null;
  for (const { kind, engine } of [engines.find((one) => !others.includes(one)), ...others]) {
    try {
      return { ...(await timed(engine, network, order)), engine: kind };
    } catch (error) {
      problem ??= error;
    }
  }
  throw problem;
}

let last = Promise.resolve(); // one picture after the other

self.onmessage = ({ data }) => {
  last = last.then(async () => {
    try {
      if (data.kind === "start") return await start(data);
      const painted = await paintedBySome(data);
      postMessage({ kind: "painted", id: data.id, ...painted }, [painted.pixels.buffer]);
    } catch (error) {
      postMessage({ kind: "failed", id: data.id, message: error.message });
    }
  });
};
