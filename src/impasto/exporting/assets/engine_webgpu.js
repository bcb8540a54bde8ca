// The painter for the graphics processor: maps are (height, width, channels / 4) vectors of 4.
"use strict";

const CHUNKS = 32; // parts in which a map's positions are summed up
const SHADERS = /* wgsl */ `
struct Site {
  height: u32, width: u32, inputs: u32, outputs: u32,  // channels / 4; sides of the result
  size: u32, stride: u32, margin: u32, noise_side: u32,  // margin: beyond the input's edges
  end: u32, film: u32, epsilon: f32, added: u32,  // end: 0 nothing, 1 ReLU, 2 sigmoid
  own: f32, nearer: f32, farther: f32,  // shares, see walk.js
}
@group(0) @binding(0) var<uniform> site: Site;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4f>;
@group(0) @binding(3) var<storage, read> kernel: array<mat4x4f>;
@group(0) @binding(4) var<storage, read> noise: array<vec4f>;
@group(0) @binding(5) var<storage, read> film: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4f>;

// Of a middle value the two positions that it becomes.
fn halves(before: vec4f, middle: vec4f, behind: vec4f) -> array<vec4f, 2> {
  let own = site.own * middle;
  return array(own + site.nearer * before + site.farther * behind,
    own + site.nearer * behind + site.farther * before);
}

// Of each position, and of those next to the edges outside, four; the result has a margin.
@compute @workgroup_size(8, 8)
fn enlarge(@builtin(global_invocation_id) id: vec3u) {
  let sides = vec2i(i32(site.width), i32(site.height)) / 2;
  let at = vec2i(id.xy) - 1;
  if (any(at > sides)) { return; }
  let row_length = 2 * (u32(sides.x) + ${MARGIN});
  var upper: array<vec4f, 3>;
  var lower: array<vec4f, 3>;
  for (var c = 0; c < 3; c++) {
    var column: array<vec4f, 3>;
    for (var r = 0; r < 3; r++) {
      let seen = clamp(at + vec2i(c, r) - 1, vec2i(), sides - 1);
      column[r] = input[u32(seen.y * sides.x + seen.x) * site.inputs + id.z];
    }
    let found = halves(column[0], column[1], column[2]);
    upper[c] = found[0];
    lower[c] = found[1];
  }
  var above = halves(upper[0], upper[1], upper[2]);
  var below = halves(lower[0], lower[1], lower[2]);
  for (var half = 0u; half < 2; half++) {
    let place = (2 * id.y * row_length + 2 * id.x + half) * site.inputs + id.z;
    output[place] = above[half];
    output[place + row_length * site.inputs] = below[half];
  }
}

@compute @workgroup_size(8, 8)
fn convolve(@builtin(global_invocation_id) id: vec3u) {
  let x = id.x * 4;
  let y = id.y;
  if (x >= site.width || y >= site.height) { return; }
  let radius = i32(site.size / 2);
  let full = vec2i(i32(site.width * site.stride), i32(site.height * site.stride));
  let margin = i32(site.margin);
  let row_length = full.x + 2 * margin;
  var found: array<vec4f, 4>;
  for (var ky = 0u; ky < site.size; ky++) {
    let row = clamp(i32(y * site.stride + ky) - radius, -margin, full.y - 1 + margin);
    let row_start = (row + margin) * row_length + margin;
    for (var kx = 0u; kx < site.size; kx++) {
      var places: vec4u;
      for (var p = 0u; p < 4; p++) {
        let column = i32((x + p) * site.stride + kx) - radius;
        let seen = row_start + clamp(column, -margin, full.x - 1 + margin);
        places[p] = u32(seen) * site.inputs;
      }
      var k = (ky * site.size + kx) * site.inputs * site.outputs + id.z;
      for (var i = 0u; i < site.inputs; i++) {
        let weights = kernel[k];
        k += site.outputs;
        found[0] += weights * input[places.x + i];
        found[1] += weights * input[places.y + i];
        found[2] += weights * input[places.z + i];
        found[3] += weights * input[places.w + i];
      }
    }
  }
  for (var p = 0u; p < 4 && x + p < site.width; p++) {
    var value = found[p];
    if (site.noise_side > 0) {
      let place = (y % site.noise_side) * site.noise_side + (x + p) % site.noise_side;
      value += noise[place * site.outputs + id.z];
    }
    output[(y * site.width + x + p) * site.outputs + id.z] = value;
  }
}

var<workgroup> shared_sums: array<vec4f, 64>;
var<workgroup> shared_squares: array<vec4f, 64>;

// Squares of what is left after a sample is taken away: they do not cancel.
@compute @workgroup_size(64)
fn sum_up(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) own: vec3u) {
  let count = site.height * site.width;
  let sample = output[group.y];
  var sum = vec4f();
  var squares = vec4f();
  for (var i = group.x * 64 + own.x; i < count; i += ${CHUNKS} * 64) {
    let value = output[i * site.outputs + group.y] - sample;
    sum += value;
    squares += value * value;
  }
  shared_sums[own.x] = sum;
  shared_squares[own.x] = squares;
  workgroupBarrier();
  for (var half = 32u; half > 0; half /= 2) {
    if (own.x < half) {
      shared_sums[own.x] += shared_sums[own.x + half];
      shared_squares[own.x] += shared_squares[own.x + half];
    }
    workgroupBarrier();
  }
  if (own.x == 0) {
    let place = 2 * (site.outputs + group.y * ${CHUNKS} + group.x);
    sums[place] = shared_sums[0];
    sums[place + 1] = shared_squares[0];
  }
}

// Gain and bias of each channel; at the beginning of sums.
@compute @workgroup_size(64)
fn settle(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= site.outputs) { return; }
  var gain = film[site.film + id.x] + 1;
  var bias = film[site.film + site.outputs + id.x];
  if (site.epsilon > 0) {
    var sum = vec4f();
    var squares = vec4f();
    for (var i = 0u; i < ${CHUNKS}; i++) {
      let place = 2 * (site.outputs + id.x * ${CHUNKS} + i);
      sum += sums[place];
      squares += sums[place + 1];
    }
    let mean = sum / f32(site.height * site.width);
    let spread = max(squares / f32(site.height * site.width) - mean * mean, vec4f());
    gain /= sqrt(spread + site.epsilon);
    bias -= (mean + output[id.x]) * gain;
  }
  sums[2 * id.x] = gain;
  sums[2 * id.x + 1] = bias;
}

@compute @workgroup_size(8, 8)
fn steer(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= site.width || id.y >= site.height) { return; }
  let place = (id.y * site.width + id.x) * site.outputs + id.z;
  var value = output[place] * sums[2 * id.z] + sums[2 * id.z + 1];
  if (site.end == 1) { value = max(value, vec4f()); }
  if (site.end == 2) { value = 1 / (1 + exp(-value)); }
  if (site.added == 1) { value += input[place]; }
  output[place] = value;
}
`;
const USED = { enlarge: [0, 1, 2], convolve: [0, 1, 2, 3, 4], sum_up: [0, 2, 6],
  settle: [0, 2, 5, 6], steer: [0, 1, 2, 6] };

class WebgpuEngine {
  static async make(network) {
    if (!navigator.gpu) throw new Error("this browser has none here");
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) throw new Error("this device has no graphics processor for it");
    // Without asking, a map of 1024 x 1024 that is enlarged would be too large for a shader.
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter.requestDevice({
      requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
    device.pushErrorScope("validation");
    const engine = new WebgpuEngine(network, device);
    const error = await device.popErrorScope();
    if (error) throw new Error(error.message);
    return engine;
  }

  constructor(network, device) {
    Object.assign(this, { network, device });
    this.pool = new Pool((bytes) => this.buffer(bytes), (buffer) => buffer.destroy());
    const module = device.createShaderModule({ code: SHADERS });
    this.pipelines = Object.fromEntries(Object.keys(USED).map((entryPoint) => [entryPoint,
      device.createComputePipeline({ layout: "auto", compute: { module, entryPoint } })]));
    this.kernels = network.sites.map((site) => this.place(matricesOf(site)));
    this.noises = network.sites.map((site) => this.place(site.noise || new Float32Array(4)));
    const widest = Math.max(...network.sites.map((site) => site.outputs));
    this.sums = this.buffer(8 * widest * (CHUNKS + 1));
  }

  buffer(bytes, usage = 0) {
    const all = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    return this.device.createBuffer({ size: Math.max(bytes, 16), usage: usage || all });
  }

  place(numbers, usage = 0) {
    const made = this.buffer(numbers.byteLength, usage);
    this.device.queue.writeBuffer(made, 0, numbers);
    return made;
  }

  map(level, channels, margin = 0) {
    const [height, width] = [this.height >> level, this.width >> level];
    const count = (height + 2 * margin) * (width + 2 * margin);
    const bytes = count * Math.ceil(channels / 4) * 16;
    return { buffer: this.pool.take(bytes), bytes, height, width, margin };
  }

  release(map) {
    this.pool.giveBack(map.buffer);
  }

  async paint(pixels, width, height, film) {
    Object.assign(this, { width, height, passing: [] });
    this.pool.begin(width, height);
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    const first = this.map(0, 3);
    const numbers = Float32Array.from(pixels, (value) => value / 255);
    this.device.queue.writeBuffer(first.buffer, 0, numbers);
    this.encoder = this.device.createCommandEncoder();
    const last = walk(this, first, film);
    const back = this.buffer(last.bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    this.encoder.copyBufferToBuffer(last.buffer, 0, back, 0, last.bytes);
    this.device.queue.submit([this.encoder.finish()]);
    const errors = [await this.device.popErrorScope(), await this.device.popErrorScope()];
    const error = errors.find(Boolean);
    if (error) throw new Error(error.message || "there is too little memory");
    await back.mapAsync(GPUMapMode.READ);
    const found = Uint8ClampedArray.from(new Float32Array(back.getMappedRange()), (v) => v * 255);
    for (const buffer of [back, ...this.passing]) buffer.destroy();
    return found;
  }

  step(site, number, before, added, film) {
    const seen = enlarges(site) ? this.map(site.level, site.inputs, MARGIN) : before;
    const made = this.map(site.level, site.outputs);
    const outputs = Math.ceil(site.outputs / 4);
    const [uniform, own] = this.valuesOf(site, seen, made, added, film);
    const buffers = [uniform, before.buffer, seen.buffer, this.kernels[number],
      this.noises[number], own, this.sums];
    if (seen !== before)
      this.run("enlarge", buffers, ...[seen.width, seen.height].map((side) =>
        Math.ceil((side / 2 + MARGIN) / 8)), Math.ceil(site.inputs / 4));
    [buffers[1], buffers[2]] = [seen.buffer, made.buffer];
    const tall = Math.ceil(made.height / 8);
    this.run("convolve", buffers, Math.ceil(made.width / 32), tall, outputs);
    if (seen !== before) this.release(seen);
    if (site.normalised) this.run("sum_up", buffers, CHUNKS, outputs);
    this.run("settle", buffers, Math.ceil(outputs / 64));
    buffers[1] = added ? added.buffer : this.noises[number]; // nothing is read of the latter
    this.run("steer", buffers, Math.ceil(made.width / 8), tall, outputs);
    return made;
  }

  // What shaders know of a site, and its film: buffers for one picture.
  valuesOf(site, seen, made, added, film) {
    const values = new Uint32Array([made.height, made.width, Math.ceil(site.inputs / 4),
      Math.ceil(site.outputs / 4), site.size, site.stride, seen.margin,
      site.noise ? this.network.side : 0, endOf(site), 0, 0, added ? 1 : 0, 0, 0, 0, 0]);
    const floats = new Float32Array(values.buffer);
    if (site.normalised) floats[10] = this.network.epsilon;
    floats.set(sharesOf(site, this.network.smoothing), 12);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const found = [this.place(values, usage), this.place(steeringOf(site, film))];
    this.passing.push(...found);
    return found;
  }

  run(name, buffers, ...groups) {
    const pipeline = this.pipelines[name];
    const entries = USED[name].map((binding) => ({ binding, resource: { buffer: buffers[binding] } }));
    const pass = this.encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...groups);
    pass.end();
  }
}
