// What every page has: presence, live regions, copying, small comforts. Everything works without it, only less alive.
import './zone.js';
import { startPresence } from './presence.js';
import { startLive } from './live.js';

document.documentElement.classList.add('scripted');

export const csrf = document.querySelector('meta[name="csrf"]')?.content ?? '';

// What scripts say: English stands in them, the page brings the words of another language.
const words = JSON.parse(document.getElementById('words')?.content.textContent || '{}');
export function say(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
}

export function announce(text) {
  const place = document.getElementById('announcer');
  if (place && text) place.textContent = text;
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    announce(say('Copied'));
    const before = button.innerHTML;
    button.textContent = say('Copied');
    setTimeout(() => { button.innerHTML = before; }, 1500);
  });
}

document.querySelector('[data-focus]')?.focus();

// Menus close on Escape and on a click elsewhere.
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') for (const menu of document.querySelectorAll('.menu[open]')) menu.open = false;
  const field = document.querySelector('[data-search]');
  if (event.key === '/' && field && !event.target.closest('input, textarea, select')) {
    event.preventDefault();
    field.focus();
  }
});
document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
});

// A select that applies itself; its button stays for pages without script.
document.addEventListener('change', (event) => {
  if (event.target.matches('[data-auto] select')) event.target.form.requestSubmit();
});

// A form is sent once, however often its button is pressed.
document.addEventListener('submit', (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  else if (event.target.method === 'post') event.target.dataset.sent = '1';
});
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

// Ticking all, and the bar that comes with the first tick.
const ticks = () => [...document.querySelectorAll('[data-tick]')];
const bar = document.querySelector('[data-bulk]');
if (bar) {
  const look = () => {
    const chosen = ticks().filter((t) => t.checked).length;
    bar.hidden = !chosen;
    bar.querySelector('[data-count]').textContent = chosen;
  };
  document.addEventListener('change', (event) => {
    if (event.target.matches('[data-tick-all]')) for (const t of ticks()) t.checked = event.target.checked;
    if (event.target.matches('[data-tick], [data-tick-all]')) look();
  });
  document.addEventListener('mailroom:changed', look);
  look();
}

startPresence(csrf);
startLive(announce);
