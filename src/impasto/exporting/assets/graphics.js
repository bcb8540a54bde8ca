// What both painters for the graphics processor share.
"use strict";

// (size, size, inputs / 4, outputs / 4) matrices, a column for each input.
function matricesOf({ inputs, outputs, size, kernel }) {
  const area = size * size;
  const [across, down] = [Math.ceil(inputs / 4), Math.ceil(outputs / 4)];
  const found = new Float32Array(area * across * down * 16);
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let a = 0; a < area; a++)
        found[((a * across + (i >> 2)) * down + (o >> 2)) * 16 + (i % 4) * 4 + (o % 4)] =
          kernel[(o * inputs + i) * area + a];
  return found;
}

// Gains less 1, then biases, each with zeros up to a multiple of 4.
function steeringOf({ outputs }, film) {
  const whole = 4 * Math.ceil(outputs / 4);
  const found = new Float32Array(2 * whole);
  found.set(film.subarray(0, outputs));
  found.set(film.subarray(outputs), whole);
  return found;
}

// What a graphics processor holds of pictures of one size: whatever is given back serves again.
// make: of a shape. destroy: of what was made.
class Pool {
  constructor(make, destroy) {
    Object.assign(this, { make, destroy, size: "", all: [] });
  }

  // Before each picture: all is free, and of another size nothing is kept.
  begin(...sides) {
    const size = sides.join(" ");
    if (size !== this.size) for (const one of this.all.splice(0)) this.destroy(one.made);
    this.size = size;
    for (const one of this.all) one.free = true;
  }

  take(...shape) {
    const key = shape.join(" ");
    let found = this.all.find((one) => one.free && one.key === key);
    if (!found) this.all.push((found = { key, made: this.make(...shape) }));
    found.free = false;
    return found.made;
  }

  giveBack(made) {
    this.all.find((one) => one.made === made).free = true;
  }
}
