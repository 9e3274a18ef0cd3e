// "/" at the beginning of a line opens the canned answers; letters narrow them down.
import { announce, say } from './console.js';

// A text field as what a menu works with: what stands on the line before the cursor, and putting text in place of its end.
export function field(area) {
  return {
    element: area,
    after: area,
    changed: area,
    before: () => area.value.slice(0, area.selectionStart).split('\n').pop(),
    put: (length, text) => {
      area.setRangeText(text, area.selectionStart - length, area.selectionStart, 'end');
      area.dispatchEvent(new Event('input', { bubbles: true }));
    },
  };
}

export function cannedAnswers(box, surface) {
  const source = box.querySelector('[data-canned-list]');
  if (!source) return;
  const all = JSON.parse(source.content.textContent);
  const menu = document.createElement('ul');
  menu.className = 'canned';
  menu.setAttribute('role', 'listbox');
  menu.setAttribute('aria-label', say('Canned answers'));
  menu.hidden = true;
  surface.after.after(menu);
  let shown = [];
  let at = 0;
  const typed = () => /^\/([^/]{0,40})$/.exec(surface.before());
  const draw = () => {
    const found = typed();
    shown = found ? all.filter((c) => c.name.toLowerCase().includes(found[1].toLowerCase())).slice(0, 8) : [];
    at = Math.min(at, Math.max(0, shown.length - 1));
    menu.hidden = !shown.length;
    menu.replaceChildren(...shown.map((c, index) => {
      const item = document.createElement('li');
      item.setAttribute('role', 'option');
      item.setAttribute('aria-selected', String(index === at));
      const name = document.createElement('b');
      name.textContent = c.name;
      item.append(name, ` ${c.text.slice(0, 80)}`);
      item.addEventListener('mousedown', (event) => { event.preventDefault(); put(c); });
      return item;
    }));
  };
  const put = (choice) => {
    const found = typed();
    menu.hidden = true;
    surface.put(found ? found[1].length + 1 : 0, choice.text);
    menu.hidden = true; // what was put in may look like the beginning of another
    announce(say('{name} put in.', choice));
  };
  surface.changed.addEventListener('input', draw);
  surface.element.addEventListener('focusout', () => { menu.hidden = true; });
  surface.element.addEventListener('keydown', (event) => {
    if (menu.hidden) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      event.stopPropagation();
      at = (at + (event.key === 'ArrowDown' ? 1 : shown.length - 1)) % shown.length;
      draw();
    } else if (event.key === 'Enter' || event.key === 'Tab') { event.preventDefault(); event.stopPropagation(); put(shown[at]); }
    else if (event.key === 'Escape') { event.stopPropagation(); menu.hidden = true; }
  }, true);
}
