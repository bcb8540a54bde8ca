// The painter for the processor: painter.wasm (scripts/build_page_engine), one step after another.
"use strict";

const TILES = 12; // as in painter.c

class WasmEngine {
  // network: of `readNetwork`. modules: bytes of the files, the quickest first.
  static async make(network, modules) {
    const bytes = modules.find((one) => WebAssembly.validate(one));
    if (!bytes) throw new Error("this browser knows no WebAssembly with SIMD");
    const { instance } = await WebAssembly.instantiate(bytes);
    return new WasmEngine(network, instance.exports);
  }

  constructor(network, calls) {
    this.network = network;
    this.calls = calls;
    this.end = calls.__heap_base.value;
    this.quick = network.sites.map(
      (site) => site.size === 3 && site.stride === 1 && site.outputs % 8 === 0 && site.inputs >= 16,
    );
    this.kernels = network.sites.map((site, number) => this.placeKernel(site, this.quick[number]));
    this.tiles = network.sites.map((site) => (site.noise ? this.place(site.noise) : 0));
    const widest = Math.max(...network.sites.map((site) => Math.max(site.inputs, site.outputs)));
    this.film = this.take(2 * widest);
    this.room = this.take(36 * TILES * 2 * widest);
    this.fixed = this.end;
    this.size = "";
  }

  // The address of so many numbers; memory grows if it has to.
  take(count) {
    const address = (this.end + 15) & ~15;
    this.end = address + 4 * count;
    const { memory } = this.calls;
    const missing = this.end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    return address;
  }

  place(numbers) {
    const address = this.take(numbers.length);
    new Float32Array(this.calls.memory.buffer, address, numbers.length).set(numbers);
    return address;
  }

  placeKernel(site, quick) {
    const { inputs, outputs, size, kernel } = site;
    if (quick) {
      const made = this.take(36 * inputs * outputs);
      const end = this.end;
      this.calls.kernel_frequencies(this.place(kernel), made, inputs, outputs);
      this.end = end; // the kernel as it came is done with
      return made;
    }
    const area = size * size;
    const whole = Math.ceil(outputs / 4) * 4;
    const packed = new Float32Array(area * inputs * whole);
    for (let o = 0; o < outputs; o++) {
      const block = o - (o % 8);
      const lanes = Math.min(8, whole - block);
      for (let i = 0; i < inputs; i++)
        for (let a = 0; a < area; a++)
          packed[block * area * inputs + (a * inputs + i) * lanes + (o % 8)] =
            kernel[(o * inputs + i) * area + a];
    }
    return this.place(packed);
  }

  map(level, channels, border) {
    const height = this.height >> level;
    const width = this.width >> level;
    const count = (height + 2 * border) * (width + 2 * border) * channels;
    const free = this.free.get(count);
    const address = free && free.length ? free.pop() : this.take(count);
    return { address, count, height, width, channels, border };
  }

  release(map) {
    if (!this.free.has(map.count)) this.free.set(map.count, []);
    this.free.get(map.count).push(map.address);
  }

  // pixels: RGBA bytes; height and width multiples of the network's stride. film: its numbers.
  async paint(pixels, width, height, film) {
    if (this.size !== `${width} ${height}`) this.end = this.fixed;
    this.size = `${width} ${height}`;
    Object.assign(this, { width, height, free: new Map() });
    this.end = this.fixed;
    const { calls } = this;
    const bytes = this.take(width * height);
    let map = this.map(0, 3, 4);
    new Uint8Array(calls.memory.buffer, bytes, pixels.length).set(pixels);
    calls.read_pixels(bytes, map.address, map.border, height, width);
    map = walk(this, map, film);
    calls.write_pixels(map.address, map.border, bytes, height, width);
    return new Uint8ClampedArray(calls.memory.buffer, bytes, pixels.length).slice();
  }

  step(site, number, before, added, film) {
    const { calls, room } = this;
    const { inputs, size, stride, level } = site;
    const outputs = Math.ceil(site.outputs / 4) * 4;
    let map = before;
    if (enlarges(site)) {
      map = this.map(level, inputs, MARGIN);
      calls.enlarge(before.address, before.border, map.address, map.height, map.width, inputs,
        ...sharesOf(site, this.network.smoothing));
    }
    const made = this.map(level, outputs, level === 0 ? 4 : 1);
    const { height, width } = made;
    const ends = [map.address, map.border, this.kernels[number], made.address, made.border];
    if (this.quick[number]) calls.convolve_quickly(...ends, room, height, width, inputs, outputs);
    else calls.convolve(...ends, height, width, inputs, outputs, size, stride);
    if (map !== before) this.release(map);
    if (site.noise) {
      const { side } = this.network;
      calls.add_tile(made.address, made.border, this.tiles[number], height, width, outputs, side);
    }
    const numbers = new Float32Array(calls.memory.buffer, this.film, 2 * outputs).fill(0);
    numbers.set(film.subarray(0, site.outputs));
    numbers.set(film.subarray(site.outputs, 2 * site.outputs), outputs);
    calls.steer(made.address, made.border, this.film, added ? added.address : 0, room,
      height, width, outputs, site.normalised ? this.network.epsilon : 0,
      endOf(site) === 1 ? 1 : 0);
    return made;
  }
}
