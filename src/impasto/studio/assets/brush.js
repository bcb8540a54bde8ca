// Regions by hand: masks painted on the photograph, each with a style of its own.
import { made } from './talk.js';

const COLOURS = ['#e4572e', '#2e86de', '#29a36a', '#b5469b', '#c99a1e', '#00a5a8', '#7b61c9', '#8a6d4b'];
const LONGEST = 1280;
const element = (name) => document.getElementById(name);

export class Brush {
  constructor(slots, changed) {
    this.slots = slots;
    this.changed = changed;
    this.regions = [];
    this.chosen = 0;
    this.erasing = false;
    this.undone = [];
    this.size = null;
    const canvas = element('brush');
    canvas.addEventListener('pointerdown', (event) => this.down(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => this.up());
    element('brush-paint').addEventListener('click', () => this.tool(false));
    element('brush-erase').addEventListener('click', () => this.tool(true));
    element('brush-undo').addEventListener('click', () => this.undo());
  }

  // The photograph changed: masks of another shape are of no use.
  fit(picture) {
    const scale = picture ? Math.min(1, LONGEST / Math.max(picture.width, picture.height)) : 1;
    const size = picture ? [Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale))] : null;
    if (this.token !== picture?.picture) this.regions = [];
    this.token = picture?.picture;
    this.size = size;
    if (size) [element('brush').width, element('brush').height] = size;
    this.list();
    this.draw();
  }

  begin() {
    if (this.size && !this.regions.length) this.add();
    this.list();
    this.draw();
  }

  add(style = null) {
    if (this.regions.length >= COLOURS.length) return;
    const mask = made('canvas');
    [mask.width, mask.height] = this.size;
    const first = this.slots.styles.findIndex((picture, slot) => picture && slot > 0);
    this.regions.push({ mask, style: style ?? (first > 0 ? first : 'none') });
    this.chosen = this.regions.length - 1;
    this.list();
  }

  remove(number) {
    this.regions.splice(number, 1);
    this.chosen = Math.max(0, Math.min(this.chosen, this.regions.length - 1));
    this.undone = [];
    this.list();
    this.draw();
    this.changed();
  }

  list() {
    const place = element('regions');
    const boxes = this.regions.map((region, number) => {
      const dot = made('button', { type: 'button', className: 'dot', ariaLabel: `Paint region ${number + 1}`, onclick: () => { this.chosen = number; this.list(); } });
      const select = made('select', { ariaLabel: `Style of region ${number + 1}`, onchange: () => { region.style = select.value === 'none' ? 'none' : Number(select.value); this.changed(); } });
      this.slots.styles.forEach((picture, slot) => {
        if (picture) select.append(made('option', { value: String(slot) }, `in ${this.slots.called(slot)}`));
      });
      select.append(made('option', { value: 'none' }, 'left as it is'));
      if (region.style !== 'none' && !this.slots.styles[region.style]) region.style = 'none';
      select.value = String(region.style);
      const remove = made('button', { type: 'button', className: 'remove', ariaLabel: `Remove region ${number + 1}`, onclick: () => this.remove(number) }, '×');
      const box = made('span', { className: `region${number === this.chosen ? ' chosen' : ''}` }, dot, select, remove);
      box.style.setProperty('--colour', COLOURS[number]);
      return box;
    });
    boxes.push(made('button', { type: 'button', className: 'plain', disabled: !this.size || this.regions.length >= COLOURS.length, onclick: () => this.add() }, '+ Region'));
    place.replaceChildren(...boxes);
  }

  tool(erasing) {
    this.erasing = erasing;
    element('brush-paint').setAttribute('aria-pressed', String(!erasing));
    element('brush-erase').setAttribute('aria-pressed', String(erasing));
  }

  at(event) {
    const box = element('brush').getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * this.size[0], (event.clientY - box.top) / box.height * this.size[1]];
  }

  down(event) {
    if (!this.size) return;
    if (!this.regions.length) this.add();
    event.preventDefault();
    element('brush').setPointerCapture(event.pointerId);
    const { mask } = this.regions[this.chosen];
    this.undone.push([this.regions[this.chosen], context(mask).getImageData(0, 0, ...this.size)]);
    this.undone = this.undone.slice(-12);
    this.last = this.at(event);
    this.stroke(this.last);
  }

  move(event) {
    if (this.last) for (const one of event.getCoalescedEvents?.() || [event]) this.stroke(this.at(one));
  }

  up() {
    if (this.last) this.changed();
    this.last = null;
  }

  stroke(to) {
    const pen = context(this.regions[this.chosen].mask);
    pen.globalCompositeOperation = this.erasing ? 'destination-out' : 'source-over';
    pen.strokeStyle = '#fff';
    pen.lineCap = pen.lineJoin = 'round';
    pen.lineWidth = element('brush-size').value / 100 * Math.max(...this.size);
    pen.beginPath();
    pen.moveTo(...this.last);
    pen.lineTo(to[0] + 0.01, to[1]);
    pen.stroke();
    this.last = to;
    this.draw();
  }

  undo() {
    const [region, pixels] = this.undone.pop() || [];
    if (!region || !this.regions.includes(region)) return;
    context(region.mask).putImageData(pixels, 0, 0);
    this.draw();
    this.changed();
  }

  draw() {
    if (!this.size) return;
    const context = element('brush').getContext('2d');
    context.clearRect(0, 0, ...this.size);
    this.regions.forEach((region, number) => {
      const tinted = made('canvas');
      [tinted.width, tinted.height] = this.size;
      const own = tinted.getContext('2d');
      own.drawImage(region.mask, 0, 0);
      own.globalCompositeOperation = 'source-in';
      own.fillStyle = COLOURS[number];
      own.fillRect(0, 0, ...this.size);
      context.globalAlpha = 0.55;
      context.drawImage(tinted, 0, 0);
      context.globalAlpha = 1;
    });
  }

  // Regions that have something in them, as the studio takes them.
  order(numbers) {
    const found = [];
    for (const { mask, style } of this.regions) {
      if (!painted(mask)) continue;
      const flat = made('canvas');
      [flat.width, flat.height] = this.size;
      const context = flat.getContext('2d');
      context.fillRect(0, 0, ...this.size);
      context.drawImage(mask, 0, 0);
      found.push({ mask: flat.toDataURL('image/png'), style: style === 'none' ? null : numbers[style] ?? null });
    }
    return found;
  }

  // Regions as the studio gave them back.
  async restore(regions) {
    this.regions = [];
    for (const { mask, style } of regions) {
      this.add(style ?? 'none');
      const image = new Image();
      image.src = mask;
      await image.decode();
      const pen = context(this.regions.at(-1).mask);
      pen.drawImage(image, 0, 0, ...this.size);
      const pixels = pen.getImageData(0, 0, ...this.size);
      for (let at = 0; at < pixels.data.length; at += 4) {
        pixels.data[at + 3] = pixels.data[at];
        pixels.data[at] = pixels.data[at + 1] = pixels.data[at + 2] = 255;
      }
      pen.putImageData(pixels, 0, 0);
    }
    this.list();
    this.draw();
  }
}

// A mask is read often: it stays out of the graphics memory.
const context = (mask) => mask.getContext('2d', { willReadFrequently: true });

function painted(mask) {
  const { data } = context(mask).getImageData(0, 0, mask.width, mask.height);
  for (let at = 3; at < data.length; at += 4) if (data[at] > 127) return true;
  return false;
}
