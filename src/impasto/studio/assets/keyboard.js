// Gradio's menus open as soon as Tab reaches them or leaves them, and cover what comes next. Here
// they open when asked to: by the arrows, by Enter, by typing, by the mouse.
const OPENING = ['ArrowDown', 'ArrowUp', 'Enter'];

export function calmMenus() {
  let tabbed = false;
  const menu = (target) => target instanceof Element && target.matches('input[role=combobox]');
  window.addEventListener('pointerdown', () => { tabbed = false; }, true);
  window.addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (key !== 'Shift') tabbed = key === 'Tab';
    if (!menu(target)) return;
    const open = target.ariaExpanded === 'true';
    if (key === 'Tab' || (!open && key.length > 1)) event.stopImmediatePropagation();
    if (open || !OPENING.includes(key)) return;
    event.preventDefault();
    target.dispatchEvent(new FocusEvent('focus')); // what Gradio opens a menu by
  }, true);
  window.addEventListener('focus', (event) => {
    if (tabbed && menu(event.target)) event.stopImmediatePropagation();
  }, true);
}
