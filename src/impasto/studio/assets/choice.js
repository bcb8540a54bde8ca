// What is chosen in this tab, for when its page is loaded again: pictures by token, regions, settings.
const KEPT = 'impasto-studio-choice';
const NOTHING = { user: undefined, content: null, styles: [], weights: [], parts: [], regions: [], settings: {} };

export function keepChoice(user, slots, brush, settings) {
  const token = (picture) => (picture ? picture.picture : null);
  const choice = {
    user,
    content: token(slots.content),
    styles: slots.styles.map(token),
    weights: slots.weights,
    parts: slots.parts,
    regions: brush.order(slots.styles.map((_, slot) => slot)),
    settings,
  };
  for (const kept of [choice, { ...choice, regions: [] }]) { // large masks may be more than a browser keeps
    try { sessionStorage.setItem(KEPT, JSON.stringify(kept)); return; } catch { /* the next is smaller */ }
  }
}

export function keptChoice() {
  let kept = NOTHING;
  try { kept = { ...NOTHING, ...JSON.parse(sessionStorage.getItem(KEPT) || '{}') }; } catch { /* not ours */ }
  return { ...kept, tokens: [kept.content, ...kept.styles].filter(Boolean) };
}
