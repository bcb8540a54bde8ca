// The history: every finished picture, its settings, its files.
import { duration } from './course.js';
import { fetched, made } from './talk.js';

const element = (name) => document.getElementById(name);
const KINDS = { png: 'PNG', jpeg: 'JPEG', tiff: 'TIFF, 16 bits', gif: 'Making-of GIF', mp4: 'Making-of MP4' };
const FILMS = ['gif', 'mp4']; // of no use where the picture was painted in a single step

export class Gallery {
  constructor({ opened, restored, failed }) {
    this.opened = opened;
    this.restored = restored;
    this.failed = failed;
    this.entries = [];
    element('gallery-more').addEventListener('click', () => this.load(this.entries.length));
  }

  async load(offset = 0) {
    const loaded = await fetched(`history?offset=${offset}`);
    this.entries = offset ? [...this.entries, ...loaded] : loaded;
    element('gallery-more').hidden = loaded.length < 60;
    this.draw();
  }

  draw() {
    element('gallery-empty').hidden = this.entries.length > 0;
    element('gallery').replaceChildren(...this.entries.map((entry) => {
      const image = made('img', { src: address(entry, 'thumbnail'), alt: '', loading: 'lazy' });
      const name = made('span', {}, entry.title);
      return made('div', { role: 'listitem' }, made('button', {
        type: 'button', ariaPressed: String(entry.entry === this.chosen), ariaLabel: `${entry.title}, ${when(entry)}`, title: `${entry.title}\n${when(entry)}`,
        onclick: () => this.open(entry.entry).catch((error) => this.missed(error)),
      }, image, name));
    }));
  }

  async open(identity, quietly = false) {
    const entry = await fetched(`history/${identity}`);
    this.chosen = identity;
    this.draw();
    this.describe(entry);
    if (!quietly) this.opened(entry);
  }

  // Deleted elsewhere, say: what there is now.
  missed(error) {
    this.failed(error);
    this.load().catch(() => {});
  }

  describe(entry) {
    element('history-folder').textContent = `in ${entry.folder.replace(/[\\/][^\\/]*$/, '')}`;
    const place = element('details');
    place.hidden = false;
    const state = entry.progress < 1 ? `, stopped at ${Math.round(entry.progress * 100)} %` : '';
    const use = made('button', { type: 'button', className: 'use', onclick: () => this.restored(entry) }, 'Use these settings');
    const copy = made('button', { type: 'button', onclick: () => copied(copy, entry.command) }, 'Copy the command');
    const remove = made('button', { type: 'button', className: 'danger', onclick: () => this.remove(remove, entry).catch((error) => this.missed(error)) }, 'Delete');
    const kinds = Object.entries(KINDS).filter(([kind]) => !entry.at_once || !FILMS.includes(kind));
    const links = kinds.map(([kind, name]) => made('a', {
      className: 'button', href: address(entry, kind), download: '',
    }, name));
    place.replaceChildren(
      made('h3', {}, entry.title),
      made('p', { className: 'hint' }, `${entry.width} × ${entry.height}, ${when(entry)}, painted in ${duration(entry.seconds)}${state} · ${entry.folder}`),
      made('div', { className: 'row' }, use, copy, remove),
      made('div', { className: 'row' }, made('span', {}, 'Download'), ...links),
      ...(entry.note ? [made('p', { className: 'hint' }, entry.note)] : []),
      made('pre', { tabIndex: 0, ariaLabel: entry.note || 'The command that makes it again' }, entry.command),
    );
  }

  async remove(button, entry) {
    if (!button.classList.contains('sure')) {
      button.classList.add('sure');
      button.textContent = 'Delete for good?';
      setTimeout(() => { button.classList.remove('sure'); button.textContent = 'Delete'; }, 4000);
      return;
    }
    await fetched(`history/${entry.entry}`, { method: 'DELETE' });
    element('details').hidden = true;
    this.entries = this.entries.filter((one) => one.entry !== entry.entry);
    this.draw();
  }
}

const address = (entry, kind) => `/studio/history/${entry.entry}/files/${kind}`;

const when = (entry) => new Date(entry.made * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

async function copied(button, text) {
  try { await navigator.clipboard.writeText(text); button.textContent = 'Copied'; } catch { button.textContent = 'Select it below'; }
  setTimeout(() => { button.textContent = 'Copy the command'; }, 1500);
}
