// The page's conductor: what the user chose, which runs are theirs, what is on the stage.
import { Brush } from './brush.js';
import { keepChoice, keptChoice } from './choice.js';
import { Course } from './course.js';
import { Gallery } from './gallery.js';
import { calmMenus } from './keyboard.js';
import { PictureSettings } from './settings.js';
import { Slots } from './slots.js';
import { Stage } from './stage.js';
import { fetched, followed, large } from './talk.js';

const element = (name) => document.getElementById(name);
const KEPT = 'impasto-studio-jobs';
const AT_ONCE = 'instant';

class Studio {
  constructor(session) {
    this.session = session;
    this.jobs = new Map(); // by identity: { title, status, before }
    this.stage = new Stage();
    this.course = new Course();
    this.slots = new Slots(session, (place, number) => this.chosen(place, number));
    this.brush = new Brush(this.slots, () => this.refresh());
    this.stage.looked = (view) => { if (view === 'regions') this.toRegions(); else this.fromRegions(); };
    this.gallery = new Gallery({
      opened: (entry) => this.open(entry),
      restored: (entry) => this.restore(entry),
      failed: (error) => this.course.say(error.message, true),
    });
    this.shown = null;
    this.away = false; // the user looks at something else than the run
    this.beside = null; // while regions are painted: what is on the stage otherwise, and whether that is away
    this.dropOnStage();
    new PictureSettings();
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || '[]');
    for (const job of kept.filter((one) => session.jobs.includes(one.job))) this.follow(job.job, job);
    this.keep();
    this.gallery.load().catch((error) => this.course.say(error.message, true));
  }

  // What Gradio's controls do not know: pictures and regions. Empty while there is nothing to paint.
  order() {
    if (!this.slots.complete) return '';
    const { styles, numbers } = this.slots.chosen;
    return JSON.stringify({ content: this.slots.content.picture, styles, regions: this.brush.order(numbers) });
  }

  answered(text) {
    const answer = JSON.parse(text);
    if (answer.error) { this.course.say(answer.error, true); return; }
    this.follow(answer.job, { title: answer.title, before: this.slots.content });
    if (this.jobs.size === 1) {
      this.away = false;
      if (this.beside) this.beside.away = false;
      if (this.stage.view === 'regions') this.stage.look('picture');
    }
    this.keep();
  }

  // The server refused, or could not be reached.
  async failed() {
    try {
      await fetched('session');
      this.course.say('That did not work. Look at the settings, and try again.', true);
    } catch (error) { this.course.say(error.message, true); }
  }

  follow(job, facts) {
    this.jobs.set(job, { title: facts.title, before: facts.before, status: null });
    followed(job, (status) => this.told(status), () => this.course.say('The connection is lost; trying again …', true), () => this.gone(job));
    this.shown = this.shown && this.jobs.has(this.shown) ? this.shown : job;
    this.queue();
  }

  told(status) {
    const job = this.jobs.get(status.job);
    if (!job) return;
    job.status = status;
    const over = ['done', 'stopped', 'failed'].includes(status.state);
    const current = this.jobs.get(this.shown);
    if (status.state === 'running' && current?.status?.state !== 'running') this.shown = status.job;
    if (this.shown === status.job) this.display(job, status);
    if (over) this.ended(job, status);
    this.queue();
  }

  display(job, status) {
    this.course.show(status);
    if (this.away) return;
    if (status.captions.length) { this.offer(status); return; }
    const latest = status.previews[0];
    if (!latest || status.entry) return;
    const source = `/studio/jobs/${status.job}/previews/0/${latest}`;
    const size = job.size || [job.before?.width || status.width, job.before?.height || status.height];
    this.stage.show({ before: job.before ? large(job.before) : undefined, after: source, size: this.target(status, size), title: job.title });
  }

  // The size that the result will have, as far as it is known: real pixels are those of the result.
  target(status, [width, height]) {
    const longest = Math.max(status.width, status.height) * 2 ** (status.levels - status.level);
    const scale = longest / Math.max(width, height);
    return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  }

  offer(status) {
    const sources = status.previews.map((version, part) => (version ? `/studio/jobs/${status.job}/previews/${part}/${version}` : null));
    this.stage.offer(sources, status.captions, (number) => this.choose(status.captions[number]));
  }

  // One of the variations is to be painted large: its settings go into the controls first.
  choose(caption) {
    const [, strength, scale] = caption.match(/strength ([\d.]+), style scale ([\d.]+)/);
    this.restored = { kept: true, settings: { strength: Number(strength), style_scale: [Number(scale)] }, then: 'paint' };
    element('restore').click();
  }

  async ended(job, status) {
    this.jobs.delete(status.job);
    this.keep();
    const next = [...this.jobs.keys()][0] || null;
    if (status.entry) {
      await this.gallery.load();
      if (this.shown === status.job && !(this.beside || this).away) {
        await this.gallery.open(status.entry, true);
        const finished = { after: `/studio/history/${status.entry}/files/png`, size: [status.width, status.height], title: job.title };
        if (this.beside) Object.assign(this.beside.what, finished);
        else this.stage.show(finished);
      }
    }
    if (this.shown === status.job) this.shown = next;
    this.queue();
  }

  gone(job) {
    this.jobs.delete(job);
    this.keep();
    if (this.shown === job) this.shown = null;
    this.course.say('The studio was started again; the run is gone.', true);
    this.queue();
  }

  queue() {
    const waiting = [...this.jobs].filter(([job, { status }]) => job !== this.shown && (!status || status.state === 'waiting'));
    const back = this.away && this.jobs.has(this.shown) ? () => this.back() : null;
    this.course.queue(waiting.map(([job, { title }]) => ({ job, title })), back);
  }

  // From a picture of the history to the one that is being painted.
  back() {
    if (this.beside) {
      this.beside.away = false;
      this.stage.look('picture');
      return;
    }
    this.away = false;
    const job = this.jobs.get(this.shown);
    if (job?.status) this.display(job, { ...job.status, curve: [], from: undefined });
    this.queue();
  }

  // Runs survive a page that is loaded again; the tab remembers which were its own.
  keep() {
    const kept = [...this.jobs].map(([job, { title, before }]) => ({ job, title, before }));
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
  }

  chosen(place, number) {
    if (this.slots.styles[place]?.parts) this.paintAtOnce();
    if (place === 'content') {
      this.brush.fit(this.slots.content);
      const { content } = this.slots;
      const chosen = { before: content ? large(content) : null, after: null, size: content && [content.width, content.height], title: content ? content.name : '' };
      if (!content && this.beside) this.stage.look('picture');
      if (this.beside) {
        if (!this.shown) this.beside.what = chosen;
        this.toRegions();
      } else if (!this.shown) this.stage.show(chosen);
    }
    if (place === 'styles' && number !== undefined) {
      for (const region of this.brush.regions) {
        if (region.style === number) region.style = 'none';
        else if (region.style > number) region.style -= 1;
      }
    }
    this.brush.list();
    this.refresh();
  }

  // A model that was brought paints with the preset for it. What the user has set, and what that
  // preset knows, stays.
  paintAtOnce() {
    const { preset, ...settings } = this.settings || {};
    if (preset === AT_ONCE) return;
    const kept = Object.entries(settings).filter(([name]) => this.session.at_once.includes(name));
    this.restored = { settings: { ...Object.fromEntries(kept), preset: AT_ONCE } };
    element('restore').click();
  }

  presetChosen(preset) {
    element('studio-settings').classList.toggle('at-once', preset === AT_ONCE);
  }

  toRegions() {
    const { content } = this.slots;
    this.beside = this.beside || { away: this.away, what: { ...this.stage.what } };
    this.away = true;
    if (content) this.stage.show({ before: large(content), size: [content.width, content.height] });
    this.brush.begin();
  }

  // What was on the stage before, or what has become of it.
  fromRegions() {
    if (!this.beside) return;
    const { away, what } = this.beside;
    this.beside = null;
    this.away = away;
    this.stage.show(what);
    if (!away) this.back();
    this.queue();
  }

  open(entry) {
    this.away = true;
    this.beside = null;
    this.queue();
    this.stage.view = this.stage.view === 'regions' ? 'picture' : this.stage.view;
    this.stage.show({ before: `/studio/history/${entry.entry}/files/content`, after: `/studio/history/${entry.entry}/files/png`, size: [entry.width, entry.height], title: entry.title });
    element('fragment-stage').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }

  async restore(entry) {
    try {
      const order = await fetched(`history/${entry.entry}/order`);
      this.slots.set(order.content, order.styles);
      await this.brush.restore(order.regions);
      this.restored = { settings: order.settings };
      element('restore').click();
      this.open(entry);
      this.course.say(`The settings of “${entry.title}” are back.`);
    } catch (error) { this.course.say(error.message, true); }
  }

  restoring() {
    return JSON.stringify(this.restored);
  }

  // The controls hold what was restored.
  restoredControls() {
    if (this.restored.then === 'paint') element('paint').click();
    if (this.restored.done) this.restored.done();
  }

  // What was chosen in this tab before the page was loaded again.
  async takeUp(kept) {
    const known = (token) => this.session.pictures[token] || null;
    const styles = kept.styles.map((token, slot) => known(token) && { ...known(token), weight: kept.weights[slot], part: kept.parts[slot] });
    this.slots.set(known(kept.content), styles);
    if (this.slots.content) await this.brush.restore(kept.regions);
    this.settings = kept.settings;
    if (Object.keys(kept.settings).length === 0) return;
    await new Promise((done) => {
      this.restored = { settings: kept.settings, done };
      element('restore').click();
    });
  }

  // The settings that the controls hold, as JSON; empty where one of them is out of range.
  held(settings) {
    if (settings) this.settings = JSON.parse(settings);
    this.remember();
  }

  remember() {
    if (document.documentElement.dataset.studio === 'ready') keepChoice(this.session.user, this.slots, this.brush, this.settings || {});
  }

  refresh() {
    this.remember();
    clearTimeout(this.later);
    this.later = setTimeout(() => element('refresh')?.click(), 250);
  }

  dropOnStage() {
    const canvas = element('canvas');
    canvas.addEventListener('dragover', (event) => { event.preventDefault(); canvas.classList.add('over'); });
    canvas.addEventListener('dragleave', () => canvas.classList.remove('over'));
    canvas.addEventListener('drop', (event) => {
      event.preventDefault();
      canvas.classList.remove('over');
      this.slots.bringAnywhere(event.dataTransfer.files[0]);
    });
  }
}

function header(session) {
  if (session.user) {
    element('who').hidden = element('leave').hidden = false;
    element('who').textContent = session.user;
  }
  element('light-or-dark').addEventListener('click', () => {
    const dark = document.body.classList.toggle('dark');
    localStorage.setItem('impasto-studio-dark', String(dark));
  });
  const wanted = localStorage.getItem('impasto-studio-dark');
  if (wanted !== null) document.body.classList.toggle('dark', wanted === 'true');
}

// Some of every piece of the page; each piece comes whole, and Gradio brings them in any order.
const NEEDED = ['light-or-dark', 'slot-content', 'slots-styles', 'canvas', 'picture', 'stop', 'gallery', 'details',
  'fragment-stage', 'studio', 'paint', 'restore', 'refresh'];

function complete() {
  const all = () => NEEDED.every(element);
  return new Promise((resolve) => {
    if (all()) { resolve(); return; }
    new MutationObserver((_, observer) => {
      if (all()) { observer.disconnect(); resolve(); }
    }).observe(document.documentElement, { childList: true, subtree: true });
  });
}

// Not `window.studio`: that is the element with this id, long before anything is ready.
async function begin() {
  await complete();
  const kept = keptChoice();
  const session = await fetched(`session?${new URLSearchParams(kept.tokens.map((token) => ['pictures', token]))}`);
  header(session);
  calmMenus();
  window.impasto = new Studio(session);
  if (kept.user === session.user) await window.impasto.takeUp(kept);
  document.documentElement.dataset.studio = 'ready';
}

begin();
