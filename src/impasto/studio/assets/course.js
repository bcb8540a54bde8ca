// The course of a run: where it is, how long it will take, the loss curve, what waits.
import { fetched, made } from './talk.js';

const element = (name) => document.getElementById(name);

export class Course {
  constructor() {
    this.points = [];
    element('stop').addEventListener('click', () => this.stop());
    this.stopped = () => {};
  }

  async stop() {
    if (!this.job) return;
    element('stop').disabled = true;
    this.say('Stopping …');
    try { await fetched(`jobs/${this.job}/stop`, { method: 'POST' }); } catch (error) { this.say(error.message, true); }
    this.stopped();
  }

  say(text, bad = false) {
    const line = element('course-text');
    if (line.textContent !== text) line.textContent = text;
    line.classList.toggle('bad', bad);
  }

  show(status) {
    if (this.job !== status.job) { this.points = []; this.job = status.job; }
    const running = ['waiting', 'running'].includes(status.state);
    element('stop').disabled = !running;
    if (status.from !== undefined) this.points.length = Math.min(this.points.length, status.from);
    this.points.push(...status.curve);
    this.progress(status.progress || 0);
    this.draw();
    this.say(words(status), status.state === 'failed');
  }

  progress(share) {
    const bar = element('bar');
    bar.setAttribute('aria-valuenow', String(Math.round(share * 100)));
    bar.firstElementChild.style.width = `${share * 100}%`;
  }

  draw() {
    const canvas = element('curve');
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, canvas.width, canvas.height);
    const points = this.points.filter(([, loss]) => loss > 0 && Number.isFinite(loss));
    if (points.length < 2) return;
    const logs = points.map(([, loss]) => Math.log(loss));
    const low = Math.min(...logs);
    const high = Math.max(...logs, low + 1e-6);
    context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--primary-500') || '#4a68bf';
    context.lineWidth = 2.5;
    context.lineJoin = 'round';
    context.beginPath();
    points.forEach(([share], number) => {
      const x = 2 + share * (canvas.width - 4);
      const y = 4 + (high - logs[number]) / (high - low) * (canvas.height - 8);
      if (number) context.lineTo(x, y); else context.moveTo(x, y);
    });
    context.stroke();
    canvas.setAttribute('aria-label', `Loss curve; now ${points.at(-1)[1].toPrecision(3)}`);
  }

  queue(waiting, back) {
    const button = back ? [made('button', { type: 'button', className: 'plain', onclick: back }, 'Back to the run')] : [];
    element('queue').replaceChildren(...button, ...waiting.map(({ job, title }) => made('span', {}, `Waiting: ${title}`,
      made('button', { type: 'button', ariaLabel: `Do not paint ${title}`, onclick: () => fetched(`jobs/${job}/stop`, { method: 'POST' }) }, '×'))));
  }
}

function words(status) {
  if (status.state === 'failed') return status.message;
  if (status.state === 'waiting') return status.before ? `Waiting; ${status.before} before it.` : 'Waiting for its turn …';
  if (status.state === 'stopped') return status.entry ? `Stopped at ${percent(status)}; the picture so far is in the history.` : status.message || 'Stopped.';
  if (status.state === 'done') return `Done in ${duration(status.seconds)}.`;
  if (!status.levels) return 'Looking at the pictures …';
  if (status.iterations * status.levels === 1) return `${status.width} × ${status.height}, painted at once`;
  const part = status.captions.length ? `Picture ${status.part + 1} of ${status.captions.length}, level` : 'Level';
  const left = status.seconds_left === null ? '' : ` · ${duration(status.seconds_left)} left`;
  return `${part} ${status.level} of ${status.levels} · ${status.width} × ${status.height} · step ${status.iteration} of ${status.iterations}${left}`;
}

const percent = (status) => `${Math.round((status.progress || 0) * 100)} %`;

export function duration(seconds) {
  if (seconds < 1) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
