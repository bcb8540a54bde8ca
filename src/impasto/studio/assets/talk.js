// Talks to the studio: JSON in and out, and server-sent events.

export async function fetched(path, options = {}) {
  const answer = await fetch(`/studio/${path}`, options);
  let data = {};
  try { data = await answer.json(); } catch { /* an empty answer */ }
  if (!answer.ok) throw new Error(data.error || data.detail || `The studio answered ${answer.status}.`);
  return data;
}

export async function brought(file, name) {
  return fetched(`pictures?name=${encodeURIComponent(name)}`, { method: 'POST', body: file });
}

export const small = (picture, part = '') => `/studio/pictures/${picture.picture}/thumbnail${part ? `?part=${part}` : ''}`;
export const large = (picture) => `/studio/pictures/${picture.picture}/preview`;

// Follows one run. A connection that drops is picked up again by the browser itself; a run that
// the studio does not know any more is over.
export function followed(job, told, lost, gone) {
  const events = new EventSource(`/studio/jobs/${job}/events`);
  let over = false;
  events.onmessage = (event) => {
    const status = JSON.parse(event.data);
    over = ['done', 'stopped', 'failed'].includes(status.state);
    if (over) events.close();
    told(status);
  };
  events.onerror = () => {
    if (over) return;
    if (events.readyState === EventSource.CLOSED) retried(job, told, lost, gone); else lost();
  };
  return events;
}

// Where the browser has given up, the studio is asked once more a little later.
function retried(job, told, lost, gone) {
  setTimeout(async () => {
    let answer;
    try { answer = await fetch('/studio/session'); } catch { lost(); retried(job, told, lost, gone); return; }
    const session = answer.ok ? await answer.json() : { jobs: [] };
    if (session.jobs.includes(job)) followed(job, told, lost, gone); else gone(job);
  }, 800);
}

export function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list' && name !== 'style') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
