// The painter for the graphics processor by WebGL. A map is a texture of four layers, and of every
// two by two pixels each layer has one, so a fragment makes four pixels with the same kernel. In a
// layer the channels lie in blocks, four channels to a texel, one block of rows below the other.
"use strict";

const PIXELS = [0, 1, 2, 3]; // of two by two: (0, 0), (1, 0), (0, 1), (1, 1)
const forEach = (numbers, line) => numbers.map(line).join("\n");

const CORNERS = `#version 300 es
void main() { gl_Position = vec4(4 * (gl_VertexID & 1) - 1, 2 * (gl_VertexID & 2) - 1, 0, 1); }`;

const shader = (outputs, body) => `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler2DArray;
uniform sampler2DArray map;
uniform ivec2 sides;  // width and height in pixels of what is made
uniform int rows;  // of a block
${forEach(PIXELS.slice(0, outputs), (p) => `layout(location = ${p}) out vec4 made${p};`)}
${body}`;

// Of each position, and of those next to the edges outside, two by two; the result has a margin.
const ENLARGE = shader(4, `
uniform ivec2 sides_before;
uniform int rows_before;
uniform vec3 shares;  // see walk.js

vec4 value(ivec2 place, int block) {
  ivec2 seen = clamp(place, ivec2(0), sides_before - 1);
  ivec2 texel = (seen >> 1) + ivec2(0, block * rows_before);
  return texelFetch(map, ivec3(texel, (seen.x & 1) + 2 * (seen.y & 1)), 0);
}

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int block = at.y / rows;
  ivec2 middle = ivec2(at.x, at.y % rows) - 1;
  vec4 upper[3];
  vec4 lower[3];
  for (int c = 0; c < 3; c++) {
    vec4 above = value(middle + ivec2(c - 1, -1), block);
    vec4 own = value(middle + ivec2(c - 1, 0), block) * shares.x;
    vec4 below = value(middle + ivec2(c - 1, 1), block);
    upper[c] = own + above * shares.y + below * shares.z;
    lower[c] = own + below * shares.y + above * shares.z;
  }
  ${forEach(PIXELS, (p) => {
    const row = p >> 1 ? "lower" : "upper";
    const near = 2 * (p & 1);
    return `
  made${p} = ${row}[1] * shares.x + ${row}[${near}] * shares.y + ${row}[${2 - near}] * shares.z;`;
  })}
}`);

const CONVOLVE = shader(4, `
uniform sampler2D kernel;
uniform sampler2D noise;
uniform int rows_before, inputs, outputs;  // channels / 4
uniform int size, stride, margin, noise_side;  // margin: beyond the edges of what is seen

ivec3 place(ivec2 pixel, ivec2 shift) {
  ivec2 end = sides * stride - 1 + margin;
  ivec2 seen = clamp(pixel * stride + shift, ivec2(-margin), end) + margin;
  return ivec3(seen >> 1, (seen.x & 1) + 2 * (seen.y & 1));
}

vec4 noise_at(ivec2 pixel, int block) {
  if (noise_side == 0) { return vec4(0); }
  ivec2 at = pixel % noise_side;
  return texelFetch(noise, ivec2(at.x * outputs + block, at.y), 0);
}

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int block = at.y / rows;
  ${forEach(PIXELS, (p) => `
  ivec2 pixel${p} = 2 * ivec2(at.x, at.y % rows) + ivec2(${p & 1}, ${p >> 1});
  vec4 found${p} = noise_at(pixel${p}, block);`)}
  ivec2 k = ivec2(4 * block, 0);
  for (int y = 0; y < size; y++) {
    for (int x = 0; x < size; x++) {
      ivec2 shift = ivec2(x, y) - size / 2;
      ${forEach(PIXELS, (p) => `ivec3 place${p} = place(pixel${p}, shift);`)}
      for (int i = 0; i < inputs; i++) {
        mat4 weights = mat4(
          texelFetch(kernel, k, 0), texelFetch(kernel, k + ivec2(1, 0), 0),
          texelFetch(kernel, k + ivec2(2, 0), 0), texelFetch(kernel, k + ivec2(3, 0), 0));
        k.y++;
        ${forEach(PIXELS, (p) => `
        found${p} += weights * texelFetch(map, place${p}, 0);
        place${p}.y += rows_before;`)}
      }
    }
  }
  ${forEach(PIXELS, (p) => `made${p} = found${p};`)}
}`);

// Of each row of texels the mean, and the root of the mean square, of what is left after the
// block's first pixel is taken away: squares of that do not cancel, and the roots of their means
// are no larger than what the map holds, which matters for numbers of 16 bits.
const SUM_UP = shader(2, `
void main() {
  int y = int(gl_FragCoord.y);
  int block = y / rows;
  int below = 2 * (y % rows);
  vec4 first = texelFetch(map, ivec3(0, block * rows, 0), 0);
  vec4 sum = vec4(0);
  vec4 squares = vec4(0);
  vec4 left;
  for (int x = 0; x < sides.x; x += 2) {
    ${forEach(PIXELS, (p) => `
    if (x + ${p & 1} < sides.x && below + ${p >> 1} < sides.y) {
      left = texelFetch(map, ivec3(x / 2, y, ${p}), 0) - first;
      sum += left;
      squares += left * left;
    }`)}
  }
  float count = float(2 * sides.x);
  made0 = sum / count;
  made1 = sqrt(squares / count);
}`);

// Of each block what is to be taken away besides the first pixel, the gain and the bias.
const settle = (widest) => shader(3, `
uniform vec4 film[${widest / 2}];
uniform float epsilon;
uniform int outputs;

void main() {
  int block = int(gl_FragCoord.y);
  vec4 shift = vec4(0);
  vec4 gain = film[block] + 1.0;
  if (epsilon > 0.0) {
    vec4 squares = vec4(0);
    for (int y = block * rows; y < (block + 1) * rows; y++) {
      vec4 root = texelFetch(map, ivec3(0, y, 1), 0);
      shift += texelFetch(map, ivec3(0, y, 0), 0);
      squares += root * root;
    }
    float part = 2.0 / float(sides.y);
    shift *= part;
    gain /= sqrt(max(squares * part - shift * shift, vec4(0)) + epsilon);
  }
  made0 = shift;
  made1 = gain;
  made2 = film[outputs + block];
}`);

const STEER = shader(4, `
uniform sampler2DArray steering;
uniform sampler2DArray other;
uniform int end, added;
uniform float epsilon;

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int block = at.y / rows;
  vec4 middle = texelFetch(steering, ivec3(0, block, 0), 0);
  vec4 gain = texelFetch(steering, ivec3(0, block, 1), 0);
  vec4 bias = texelFetch(steering, ivec3(0, block, 2), 0);
  if (epsilon > 0.0) { middle += texelFetch(map, ivec3(0, block * rows, 0), 0); }
  vec4 value;
  ${forEach(PIXELS, (p) => `
  value = (texelFetch(map, ivec3(at, ${p}), 0) - middle) * gain + bias;
  if (end == 1) { value = max(value, vec4(0)); }
  if (end == 2) { value = 1.0 / (1.0 + exp(-value)); }
  if (added == 1) { value += texelFetch(other, ivec3(at, ${p}), 0); }
  made${p} = value;`)}
}`);

class WebglEngine {
  static async make(network) {
    const canvas = self.OffscreenCanvas && new OffscreenCanvas(1, 1);
    const gl = canvas && canvas.getContext("webgl2", { antialias: false, depth: false,
      powerPreference: "high-performance" });
    if (!gl) throw new Error("this browser has none here");
    gl.getExtension("EXT_color_buffer_float") || gl.getExtension("EXT_color_buffer_half_float");
    return new WebglEngine(network, gl);
  }

  constructor(network, gl) {
    Object.assign(this, { network, gl, most: gl.getParameter(gl.MAX_TEXTURE_SIZE) });
    this.format = [gl.RGBA32F, gl.RGBA16F].find((format) => this.draws(format)); // of maps
    if (!this.format) throw new Error("this device cannot draw with numbers of 16 bits");
    this.pool = new Pool((...shape) => this.target(...shape), (target) => this.drop(target));
    gl.disable(gl.DITHER);
    gl.bindVertexArray(gl.createVertexArray());
    const widest = 4 * Math.ceil(Math.max(...network.sites.map((site) => site.outputs)) / 4);
    const shaders = { enlarge: ENLARGE, convolve: CONVOLVE, sum_up: SUM_UP,
      settle: settle(widest), steer: STEER };
    this.programs = Object.fromEntries(
      Object.entries(shaders).map(([name, text]) => [name, this.program(text)]),
    );
    this.kernels = network.sites.map((site) =>
      this.place(matricesOf(site), 4 * Math.ceil(site.outputs / 4)));
    this.noises = network.sites.map((site) =>
      site.noise && this.place(site.noise, network.side * (site.outputs / 4)));
    this.complain();
  }

  complain() {
    const { gl } = this;
    const error = gl.getError();
    if (gl.isContextLost()) throw new Error("the graphics processor was taken away");
    if (error === gl.OUT_OF_MEMORY) throw new Error("there is too little memory");
    if (error) throw new Error(`error ${error}`);
  }

  // With its uniforms by name: what `set` needs of each.
  program(text) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, text]]) {
      const made = gl.createShader(kind);
      gl.shaderSource(made, source);
      gl.compileShader(made);
      gl.attachShader(program, made);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS))
      throw new Error(`it cannot be set up: ${gl.getProgramInfoLog(program)}`);
    const uniforms = [];
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const { name, type } = gl.getActiveUniform(program, i);
      uniforms.push([name.replace("[0]", ""), type, gl.getUniformLocation(program, name)]);
    }
    return { program, uniforms };
  }

  // Numbers that stay, four to a texel.
  place(numbers, columns) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, columns, numbers.length / 4 / columns);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, columns, numbers.length / 4 / columns, gl.RGBA,
      gl.FLOAT, numbers);
    this.unfiltered(gl.TEXTURE_2D);
    return { texture };
  }

  unfiltered(kind) {
    const { gl } = this;
    gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  // A texture, and the frame by which is drawn into all of its layers.
  target(columns, rows, layers, format) {
    const { gl } = this;
    if (Math.max(columns, rows) > this.most)
      throw new Error(`this device has no textures of more than ${this.most} texels`);
    const made = { texture: gl.createTexture(), frame: gl.createFramebuffer(), columns, rows };
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, made.texture);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, format, columns, rows, layers);
    this.unfiltered(gl.TEXTURE_2D_ARRAY);
    gl.bindFramebuffer(gl.FRAMEBUFFER, made.frame);
    const places = PIXELS.slice(0, layers).map((p) => gl.COLOR_ATTACHMENT0 + p);
    places.forEach((place, p) =>
      gl.framebufferTextureLayer(gl.FRAMEBUFFER, place, made.texture, 0, p));
    gl.drawBuffers(places);
    return made;
  }

  drop({ texture, frame }) {
    this.gl.deleteFramebuffer(frame);
    this.gl.deleteTexture(texture);
  }

  // Whether this device draws into four layers of such numbers at once.
  draws(format) {
    const { gl } = this;
    const target = this.target(1, 1, 4, format);
    const complete = gl.checkFramebufferStatus(gl.FRAMEBUFFER) === gl.FRAMEBUFFER_COMPLETE;
    this.drop(target);
    return complete;
  }

  // The picture's own maps hold bytes.
  map(level, channels, margin = 0) {
    const [width, height] = [this.width >> level, this.height >> level];
    const [across, down] = [width, height].map((side) => ((side + 1) >> 1) + margin);
    const blocks = Math.ceil(channels / 4);
    const format = channels < 4 ? this.gl.RGBA8 : this.format;
    return Object.assign(this.pool.take(across, down * blocks, 4, format),
      { sides: [width, height], block: down, margin });
  }

  release(map) {
    this.pool.giveBack(map);
  }

  async paint(pixels, width, height, film) {
    Object.assign(this, { width, height });
    this.pool.begin(width, height);
    const first = this.map(0, 3);
    this.write(first, pixels);
    const last = walk(this, first, film);
    const found = this.read(last);
    this.complain();
    return found;
  }

  // The pixels of the picture in the order of a map, one after the other: calls with both places.
  inOrder({ columns, rows }, call) {
    let place = 0;
    for (const p of PIXELS)
      for (let y = p >> 1; y < 2 * rows; y += 2)
        for (let x = p & 1; x < 2 * columns; x += 2) call(place++, y * 2 * columns + x);
  }

  write(map, pixels) {
    const { gl } = this;
    const from = new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length / 4);
    const ordered = new Uint32Array(from.length);
    this.inOrder(map, (place, pixel) => (ordered[place] = from[pixel]));
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, map.texture);
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, 0, map.columns, map.rows, 4, gl.RGBA,
      gl.UNSIGNED_BYTE, new Uint8Array(ordered.buffer));
  }

  read(map) {
    const { gl } = this;
    const count = map.columns * map.rows;
    const ordered = new Uint32Array(4 * count);
    gl.bindFramebuffer(gl.FRAMEBUFFER, map.frame);
    for (const p of PIXELS) {
      gl.readBuffer(gl.COLOR_ATTACHMENT0 + p);
      gl.readPixels(0, 0, map.columns, map.rows, gl.RGBA, gl.UNSIGNED_BYTE,
        new Uint8Array(ordered.buffer, 4 * p * count, 4 * count));
    }
    const found = new Uint32Array(4 * count);
    this.inOrder(map, (place, pixel) => (found[pixel] = ordered[place]));
    return new Uint8ClampedArray(found.buffer);
  }

  step(site, number, before, added, film) {
    const { format } = this;
    const outputs = Math.ceil(site.outputs / 4);
    const seen = enlarges(site) ? this.enlarged(site, before) : before;
    const raw = this.map(site.level, 4 * outputs);
    const own = { sides: raw.sides, rows: raw.block, outputs,
      epsilon: site.normalised ? this.network.epsilon : 0 };
    const kernel = this.kernels[number];
    this.draw("convolve", raw, { ...own, map: seen, kernel, noise: this.noises[number] || kernel,
      rows_before: seen.block, inputs: Math.ceil(site.inputs / 4), size: site.size,
      stride: site.stride, margin: seen.margin, noise_side: site.noise ? this.network.side : 0 });
    if (seen !== before) this.release(seen);
    const made = this.map(site.level, site.outputs);
    const rows = this.pool.take(1, raw.rows, 2, format);
    const steering = this.pool.take(1, outputs, 3, format);
    if (site.normalised) this.draw("sum_up", rows, { ...own, map: raw });
    this.draw("settle", steering, { ...own, map: rows, film: steeringOf(site, film) });
    this.draw("steer", made, { ...own, map: raw, steering, other: added || raw, end: endOf(site),
      added: added ? 1 : 0 });
    for (const done of [raw, rows, steering]) this.release(done);
    return made;
  }

  enlarged(site, before) {
    const made = this.map(site.level, site.inputs, MARGIN);
    const shares = sharesOf(site, this.network.smoothing);
    this.draw("enlarge", made, { map: before, sides_before: before.sides,
      rows_before: before.block, rows: made.block, shares });
    return made;
  }

  draw(name, into, values) {
    const { gl } = this;
    const { program, uniforms } = this.programs[name];
    gl.useProgram(program);
    let unit = 0;
    for (const [key, type, place] of uniforms) {
      const value = values[key];
      if (type === gl.INT) gl.uniform1i(place, value);
      else if (type === gl.INT_VEC2) gl.uniform2iv(place, value);
      else if (type === gl.FLOAT) gl.uniform1f(place, value);
      else if (type === gl.FLOAT_VEC3) gl.uniform3fv(place, value);
      else if (type === gl.FLOAT_VEC4) gl.uniform4fv(place, value);
      else {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(type === gl.SAMPLER_2D ? gl.TEXTURE_2D : gl.TEXTURE_2D_ARRAY, value.texture);
        gl.uniform1i(place, unit++);
      }
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, into.frame);
    gl.viewport(0, 0, into.columns, into.rows);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
