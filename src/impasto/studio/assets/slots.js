// The pictures on the left: one photograph, one to four styles with weights; samples to click.
import { brought, made, small } from './talk.js';

const KINDS = 'image/*,.heic,.heif,.avif,.tif,.tiff';
const MOST_STYLES = 4;

export class Slots {
  constructor(session, changed) {
    this.session = session;
    this.changed = changed;
    this.content = null;
    this.styles = [null];
    this.weights = [1];
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
    if (place === 'content') this.content = picture; else this.styles[place] = picture;
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
    this.draw();
    this.changed('styles');
  }

  removeStyle(number) {
    if (this.styles.length > 1) {
      this.styles.splice(number, 1);
      this.weights.splice(number, 1);
    } else this.styles[0] = null;
    this.notes.clear();
    this.draw();
    this.changed('styles', number);
  }

  set(content, styles) {
    this.content = content;
    this.styles = styles.length ? styles : [null];
    this.weights = styles.length ? styles.map((style) => style?.weight ?? 1) : [1];
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
      this.put(place, picture);
    } catch (error) {
      this.busy = null;
      this.notes.set(place, [error.message, 'bad']);
      this.draw();
    }
  }

  pasted(event) {
    const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith('image/'));
    if (!file) return;
    event.preventDefault();
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
      if (this.weighted()) whole.append(this.weight(number));
      return whole;
    }));
    this.element('add-style').hidden = this.styles.length >= MOST_STYLES;
  }

  fill(slot, place, picture, what) {
    slot.className = `slot${picture ? ' full' : ''}${this.busy === place ? ' busy' : ''}`;
    const input = made('input', { type: 'file', accept: KINDS, ariaLabel: `Choose the ${what}`, onchange: () => this.bring(place, input.files[0]) });
    const camera = made('input', { type: 'file', accept: 'image/*', ariaLabel: `Take the ${what} with the camera`, onchange: () => this.bring(place, camera.files[0]) });
    camera.setAttribute('capture', 'environment');
    const words = [made('b', {}, `Choose the ${what}`), 'or drop it here'];
    slot.replaceChildren(made('label', {}, ...words, input));
    if (picture) {
      slot.prepend(made('img', { src: small(picture), alt: picture.name }));
      slot.append(made('span', { className: 'name' }, `${picture.name} · ${picture.width} × ${picture.height}`));
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

  get complete() {
    return this.content !== null && this.styles.some((style) => style !== null);
  }

  // Styles that are there, with their weights; and for each slot the number it has among them.
  get chosen() {
    const numbers = [];
    const styles = [];
    this.styles.forEach((picture, slot) => {
      numbers.push(picture ? styles.length : null);
      if (picture) styles.push({ picture: picture.picture, weight: this.weights[slot] });
    });
    return { styles, numbers };
  }
}
