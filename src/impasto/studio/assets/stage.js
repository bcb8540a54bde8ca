// The picture in the middle: shown large, compared with the photograph, looked at in real pixels.
import { made } from './talk.js';

const element = (name) => document.getElementById(name);

export class Stage {
  constructor() {
    this.view = 'picture';
    this.zoom = 'fit';
    this.size = null;
    this.what = {}; // what `show` was given last
    for (const view of ['picture', 'compare', 'regions']) {
      element(`view-${view}`).addEventListener('click', () => this.look(view));
    }
    element('zoom-fit').addEventListener('click', () => this.zoomed('fit'));
    element('zoom-real').addEventListener('click', () => this.zoomed('real'));
    element('split-at').addEventListener('input', (event) => this.split(event.target.value));
    new ResizeObserver(() => this.layOut()).observe(element('canvas'));
    this.looked = () => {};
    this.split(50);
  }

  split(share) {
    element('frame').style.setProperty('--at', `${share}%`);
  }

  // What there is: `before` the photograph, `after` the picture, of `size` [width, height].
  show({ before, after, size, title }) {
    for (const [name, value] of Object.entries({ before, after, size, title })) {
      if (value !== undefined) this.what[name] = value;
    }
    if (size) this.size = size;
    if (before !== undefined) this.source('before', before);
    if (after !== undefined) this.source('picture', after);
    if (title !== undefined) element('stage-title').textContent = title;
    element('choices').hidden = true;
    this.draw();
  }

  source(name, address) {
    const image = element(name);
    image.dataset.wanted = address || '';
    if (!address) { image.removeAttribute('src'); return; }
    if (image.getAttribute('src') === address) return;
    if (!image.getAttribute('src')) { image.src = address; return; }
    const next = new Image(); // decoded first, so that the old picture stays until the new one is there
    next.onload = () => { if (image.dataset.wanted === address) image.src = address; };
    next.src = address;
  }

  look(view) {
    this.view = view;
    this.draw();
    this.looked(view);
  }

  zoomed(zoom) {
    this.zoom = zoom;
    this.draw();
  }

  draw() {
    const has = (name) => Boolean(element(name).getAttribute('src'));
    element('view-compare').disabled = !(has('before') && has('picture'));
    element('view-regions').disabled = !has('before');
    if (this.view === 'compare' && element('view-compare').disabled) this.view = 'picture';
    if (this.view === 'regions' && element('view-regions').disabled) this.view = 'picture';
    for (const view of ['picture', 'compare', 'regions']) {
      element(`view-${view}`).setAttribute('aria-pressed', String(view === this.view));
    }
    for (const zoom of ['fit', 'real']) {
      element(`zoom-${zoom}`).setAttribute('aria-pressed', String(zoom === this.zoom));
    }
    const choosing = !element('choices').hidden;
    const any = has('before') || has('picture');
    element('stage-empty').hidden = any || choosing;
    element('frame').hidden = !any || choosing;
    element('before').hidden = !has('before') || (this.view === 'picture' && has('picture'));
    element('picture').hidden = !has('picture') || this.view === 'regions';
    element('split').hidden = this.view !== 'compare';
    element('brush').hidden = this.view !== 'regions';
    element('brush-bar').hidden = this.view !== 'regions';
    element('frame').classList.toggle('comparing', this.view === 'compare');
    element('frame').classList.toggle('real', this.zoom === 'real');
    this.layOut();
  }

  layOut() {
    if (!this.size) return;
    const canvas = element('canvas');
    const [width, height] = this.size;
    const pixel = 1 / (window.devicePixelRatio || 1);
    const fit = Math.min((canvas.clientWidth - 4) / width, (canvas.clientHeight - 4) / height);
    const scale = this.zoom === 'real' ? pixel : fit;
    const frame = element('frame');
    frame.style.width = `${Math.round(width * scale)}px`;
    frame.style.height = `${Math.round(height * scale)}px`;
  }

  // Four small pictures to choose from.
  offer(sources, captions, chosen) {
    const place = element('choices');
    const fresh = place.hidden || place.childElementCount !== captions.length;
    if (fresh) {
      place.replaceChildren(...captions.map((caption, number) => made('button',
        { type: 'button', disabled: true, ariaLabel: `Paint this one large: ${caption}`, onclick: () => chosen(number) },
        made('i', {}, '…'), made('img', { alt: '', hidden: true }), made('span', {}, caption))));
      place.hidden = false;
      this.view = 'picture';
      this.draw();
    }
    sources.forEach((source, number) => {
      if (!source) return;
      const button = place.children[number];
      const image = button.querySelector('img');
      button.querySelector('i')?.remove();
      button.disabled = false;
      image.hidden = false;
      if (image.getAttribute('src') !== source) image.src = source;
    });
  }
}
