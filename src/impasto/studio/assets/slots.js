// The pictures on the left: one photograph, one to four styles with weights; samples to click.
// A style may be a model, too; of one with several styles a menu chooses which.
import { brought, made, small } from './talk.js';

const KINDS = 'image/*,.heic,.heif,.avif,.tif,.tiff';
const MODELS = '.safetensors';
const MOST_STYLES = 4;

export class Slots {
  constructor(session, changed) {
    this.session = session;
    this.changed = changed;
    this.content = null;
    this.styles = [null];
    this.weights = [1];
    this.parts = [''];
    this.notes = new Map();
    this.weighted = () => this.styles.length > 1;
    this.element = (name) => document.getElementById(name);
    this.element('add-style').addEventListener('click', () => this.addStyle());
    this.showSamples('photographs', (picture) => this.put('content', picture));
    this.showSamples('styles', (picture) => this.putStyle(picture));
    document.addEventListener('paste', (event) => this.pasted(event));
    this.draw();
  }

  showSamples(kind, chosen) {
    const place = this.element(`samples-${kind}`);
    place.replaceChildren(...this.session.samples[kind].map((picture) => {
      const name = picture.name.replace(/\.\w+$/, '');
      const image = made('img', { src: small(picture), alt: '', loading: 'lazy' });
      return made('button', { type: 'button', title: name, ariaLabel: `Sample: ${name}`, onclick: () => chosen(picture) }, image);
    }));
  }

  put(place, picture) {
    if (place === 'content') this.content = picture;
    else { this.styles[place] = picture; this.parts[place] = ''; }
    this.notes.set(place, picture && picture.notes && picture.notes.length ? [picture.notes.join('; '), ''] : null);
    this.draw();
    this.changed(place);
  }

  // A sample goes where there is room, else in place of the last style.
  putStyle(picture) {
    const empty = this.styles.indexOf(null);
    this.put(empty < 0 ? this.styles.length - 1 : empty, picture);
  }

  addStyle() {
    if (this.styles.length >= MOST_STYLES) return;
    this.styles.push(null);
    this.weights.push(1);
    this.parts.push('');
    this.draw();
    this.changed('styles');
  }

  removeStyle(number) {
    if (this.styles.length > 1) {
      this.styles.splice(number, 1);
      this.weights.splice(number, 1);
      this.parts.splice(number, 1);
    } else { this.styles[0] = null; this.parts[0] = ''; }
    this.notes.clear();
    this.draw();
    this.changed('styles', number);
  }

  set(content, styles) {
    this.content = content;
    this.styles = styles.length ? styles : [null];
    this.weights = styles.length ? styles.map((style) => style?.weight ?? 1) : [1];
    this.parts = styles.length ? styles.map((style) => numbered(style)) : [''];
    this.notes.clear();
    this.draw();
    this.changed('content');
  }

  async bring(place, file) {
    if (!file) return;
    if (file.size > this.session.max_upload) {
      this.notes.set(place, [`${file.name} is larger than ${this.session.max_upload / 1e6} MB.`, 'bad']);
      this.draw();
      return;
    }
    this.busy = place;
    this.notes.delete(place);
    this.draw();
    try {
      const picture = await brought(file, file.name || 'pasted.png');
      this.busy = null;
      if (place === 'content' && picture.parts) throw new Error(`${picture.name} is a model, which is a style. Choose it under Style.`);
      this.put(place, picture);
    } catch (error) {
      this.busy = null;
      this.notes.set(place, [error.message, 'bad']);
      this.draw();
    }
  }

  // A file that was meant for no slot: a model is a style, anything else the photograph.
  bringAnywhere(file) {
    const empty = this.styles.indexOf(null);
    this.bring(isModel(file) ? (empty < 0 ? this.styles.length - 1 : empty) : 'content', file);
  }

  pasted(event) {
    const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith('image/') || isModel(one));
    if (!file) return;
    event.preventDefault();
    if (isModel(file)) { this.bringAnywhere(file); return; }
    const empty = this.styles.indexOf(null);
    this.bring(this.content && empty >= 0 ? empty : 'content', file);
  }

  draw() {
    this.fill(this.element('slot-content'), 'content', this.content, 'photograph');
    const place = this.element('slots-styles');
    place.replaceChildren(...this.styles.map((picture, number) => {
      const slot = made('div', { className: 'slot' });
      const whole = made('div', { className: 'style-slot' }, slot);
      this.fill(slot, number, picture, this.styles.length > 1 ? `style ${number + 1}` : 'painting');
      if (picture?.parts?.length > 1) whole.append(this.part(number));
      if (this.weighted()) whole.append(this.weight(number));
      return whole;
    }));
    this.element('add-style').hidden = this.styles.length >= MOST_STYLES;
  }

  fill(slot, place, picture, what) {
    slot.className = `slot${picture ? ' full' : ''}${this.busy === place ? ' busy' : ''}`;
    const kinds = place === 'content' ? KINDS : `${KINDS},${MODELS}`;
    const input = made('input', { type: 'file', accept: kinds, ariaLabel: `Choose the ${what}`, onchange: () => this.bring(place, input.files[0]) });
    const camera = made('input', { type: 'file', accept: 'image/*', ariaLabel: `Take the ${what} with the camera`, onchange: () => this.bring(place, camera.files[0]) });
    camera.setAttribute('capture', 'environment');
    const words = [made('b', {}, `Choose the ${what}`), place === 'content' ? 'or drop it here' : 'or a model, or drop it here'];
    slot.replaceChildren(made('label', {}, ...words, input));
    if (picture) {
      slot.prepend(made('img', { src: small(picture, this.parts[place]), alt: picture.name }));
      slot.append(made('span', { className: 'name' }, `${picture.name} · ${kindOf(picture)}`));
    }
    if (!picture) slot.append(made('label', { className: 'camera' }, 'Camera', camera));
    if (picture || (place !== 'content' && this.styles.length > 1)) {
      const remove = () => (place === 'content' ? this.put('content', null) : this.removeStyle(place));
      slot.append(made('button', { type: 'button', className: 'remove', ariaLabel: `Remove the ${what}`, onclick: remove }, '×'));
    }
    this.dropping(slot, place);
    const note = this.notes.get(place);
    const old = slot.nextElementSibling;
    if (old?.classList.contains('slot-note')) old.remove();
    if (note) {
      const line = made('p', { className: `slot-note ${note[1]}`, role: note[1] ? 'alert' : 'note' }, note[0]);
      if (slot.parentElement) slot.after(line); else queueMicrotask(() => slot.after(line));
    }
  }

  dropping(slot, place) {
    slot.ondragover = (event) => { event.preventDefault(); slot.classList.add('over'); };
    slot.ondragleave = () => slot.classList.remove('over');
    slot.ondrop = (event) => {
      event.preventDefault();
      slot.classList.remove('over');
      this.bring(place, event.dataTransfer.files[0]);
    };
  }

  weight(number) {
    const said = (weight) => (Number(weight) ? String(weight) : 'regions');
    const output = made('output', {}, said(this.weights[number]));
    const range = made('input', {
      type: 'range', min: 0, max: 4, step: 0.1, ariaLabel: `Weight of style ${number + 1}`,
      oninput: () => { this.weights[number] = Number(range.value); output.value = said(range.value); },
      onchange: () => this.changed('weights'),
    });
    range.value = this.weights[number];
    return made('div', { className: 'weight' }, 'Weight', range, output);
  }

  // Which of a model's styles; all of them, blended, if none is chosen.
  part(number) {
    const { parts } = this.styles[number];
    const select = made('select', {
      ariaLabel: `Part of style ${number + 1}`,
      onchange: () => { this.parts[number] = select.value; this.draw(); this.changed('parts'); },
    }, made('option', { value: '' }, `all ${parts.length}, blended`), ...parts.map((name, at) => made('option', { value: String(at + 1) }, `${at + 1}: ${name}`)));
    select.value = this.parts[number];
    return made('label', { className: 'part' }, 'Paints in', select);
  }

  // What a style is called where there is little space.
  called(slot) {
    const { name, parts } = this.styles[slot];
    const part = this.parts[slot] && parts[Number(this.parts[slot]) - 1];
    return `${name.replace(/\.\w+$/, '')}${part ? ` ${part}` : ''}`;
  }

  get complete() {
    return this.content !== null && this.styles.some((style) => style !== null);
  }

  // Styles that are there, with their weights; and for each slot the number it has among them.
  get chosen() {
    const numbers = [];
    const styles = [];
    this.styles.forEach((picture, slot) => {
      numbers.push(picture ? styles.length : null);
      if (picture) styles.push({ picture: picture.picture, weight: this.weights[slot], part: this.parts[slot] });
    });
    return { styles, numbers };
  }
}

const isModel = (file) => file.name.toLowerCase().endsWith(MODELS);

function kindOf(picture) {
  if (!picture.parts) return `${picture.width} × ${picture.height}`;
  return picture.parts.length > 1 ? `model of ${picture.parts.length} styles` : 'model';
}

// The part of a style as a number, which the studio may have as a name.
function numbered(style) {
  const at = style?.part ? style.parts.indexOf(style.part) : -1;
  return at < 0 ? style?.part || '' : String(at + 1);
}
