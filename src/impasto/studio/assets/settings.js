// Settings that name a picture: the control holds a token, and gets a button to bring one.
import { brought, made } from './talk.js';

export class PictureSettings {
  constructor() {
    new MutationObserver(() => this.dress()).observe(document.getElementById('studio'), { childList: true, subtree: true });
    this.dress();
  }

  dress() {
    for (const block of document.querySelectorAll('.picture-setting:not(.dressed)')) {
      const text = block.querySelector('textarea, input');
      if (!text) continue;
      block.classList.add('dressed');
      text.readOnly = true;
      text.placeholder = 'none';
      const said = made('span', { role: 'status' });
      const input = made('input', { type: 'file', accept: 'image/*', ariaLabel: 'Choose a picture', hidden: true, onchange: () => this.bring(input, text, said) });
      const choose = made('button', { type: 'button', className: 'plain', onclick: () => input.click() }, 'Choose a picture');
      const none = made('button', { type: 'button', className: 'plain', onclick: () => { put(text, ''); said.textContent = ''; } }, 'None');
      block.append(made('div', { className: 'picture-setting-tools' }, choose, none, said, input));
    }
  }

  async bring(input, text, said) {
    const [file] = input.files;
    if (!file) return;
    try {
      const picture = await brought(file, file.name);
      put(text, picture.picture);
      said.textContent = picture.name;
    } catch (error) { said.textContent = error.message; }
  }
}

function put(text, value) {
  text.value = value;
  text.dispatchEvent(new Event('input', { bubbles: true }));
}
