// Formatted text: the editor over a text field, with its tools. The field stays what is sent and kept as plain text, the
// hidden one beside it holds the HTML where plain text cannot say it all. Where the bundle was not built pages do not ask for this
// script, and where it cannot be loaded this one does not run: the field is all there is.
import { cannedAnswers } from './canned.js';
import { announce, csrf, say } from './console.js';
import { mount } from './editor.js';

const PLAIN = 'mailroom-plain'; // whoever likes plain text gets it the next time

for (const area of document.querySelectorAll('textarea[data-rich]')) rich(area);

function rich(area) {
  const form = area.form;
  const html = form.querySelector('input[name="html"]');
  const tools = form.querySelector('[data-tools]');
  const place = document.createElement('div');
  place.className = 'writing';
  const { id } = area;
  const required = area.required;
  const hadFocus = document.activeElement === area;
  const typed = area.value !== area.defaultValue; // before this script was there
  let kept = null; // a formatted letter that was made plain: it comes back where nothing was changed since
  let syncing = false;

  const sync = () => {
    if (syncing) return;
    area.value = editor.text();
    html.value = editor.html();
    const line = area.value;
    editor.element.classList.toggle('blank', !line && !html.value);
    form.removeAttribute('data-lacking');
    area.dispatchEvent(new Event('input', { bubbles: true }));
    tell();
  };
  area.after(place);
  const editor = mount(place, {
    html: typed ? '' : area.dataset.html,
    text: area.value,
    attributes: {
      role: 'textbox', 'aria-multiline': 'true', 'aria-label': area.labels?.[0]?.textContent ?? '',
      'data-placeholder': area.placeholder, spellcheck: 'true',
    },
    changed: sync,
    moved: () => tell(),
    link: () => askLink(),
    upload,
    failed: (problem) => announce(problem.message || say('The picture could not be put in.')),
    settled: () => { if (form.dataset.waits) { delete form.dataset.waits; form.requestSubmit(); } },
  });

  // tools: one stop for the Tab key, arrows within (WAI-ARIA toolbar)
  const buttons = [...tools.querySelectorAll('button[data-tool]')];
  const tell = () => {
    const now = editor.active();
    for (const button of buttons) {
      const name = button.dataset.tool;
      if (name in now) button.setAttribute('aria-pressed', String(now[name]));
    }
  };
  const stop = (chosen) => { for (const each of buttons) each.tabIndex = each === chosen ? 0 : -1; };
  tools.addEventListener('keydown', (event) => {
    const shown = buttons.filter((each) => !each.hidden);
    const at = shown.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const next = shown[(at + step + shown.length) % shown.length];
    stop(next);
    next.focus();
  });
  tools.addEventListener('mousedown', (event) => { if (event.target.closest('button')) event.preventDefault(); });
  tools.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-tool]');
    if (!button) return;
    stop(button);
    const name = button.dataset.tool;
    if (name === 'link') askLink();
    else if (name === 'picture') picker.click();
    else if (name === 'plain') toPlain(!isPlain());
    else editor.run(name);
  });
  stop(buttons[0]);

  // pictures from the disk
  const picker = document.createElement('input');
  picker.type = 'file';
  picker.accept = 'image/png,image/jpeg,image/gif,image/webp';
  picker.multiple = true;
  picker.hidden = true;
  picker.setAttribute('aria-label', tools.querySelector('[data-tool="picture"]').getAttribute('aria-label'));
  picker.addEventListener('change', (event) => {
    event.stopPropagation();
    for (const file of picker.files) editor.picture(file);
    picker.value = '';
  });
  tools.append(picker);

  // a link's address is asked for below the tools
  const asked = tools.querySelector('[data-link]');
  const address = asked.querySelector('input');
  const askLink = () => {
    asked.hidden = false;
    address.value = editor.link();
    address.removeAttribute('aria-invalid');
    address.focus();
    address.select();
  };
  const setLink = (value) => {
    if (value.trim() && !editor.target(value)) {
      address.setAttribute('aria-invalid', 'true');
      announce(say('That is no address that a link could lead to.'));
      return;
    }
    asked.hidden = true;
    editor.setLink(value);
  };
  asked.querySelector('[data-link-set]').addEventListener('click', () => setLink(address.value));
  asked.querySelector('[data-link-off]').addEventListener('click', () => setLink(''));
  asked.addEventListener('input', (event) => event.stopPropagation());
  asked.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') { event.preventDefault(); event.stopPropagation(); if (event.target === address) setLink(address.value); else event.target.click(); }
    if (event.key === 'Escape') { asked.hidden = true; editor.focus(); }
  });

  // plain text and back
  const isPlain = () => place.hidden;
  const show = (plain) => {
    place.hidden = plain;
    area.hidden = !plain;
    area.required = plain && required;
    area.id = plain ? id : '';
    if (plain) editor.element.removeAttribute('id'); else editor.element.id = id; // the label's field is the one that shows
    for (const button of buttons) button.hidden = plain && button.dataset.tool !== 'plain';
    if (plain) asked.hidden = true;
    const toggle = tools.querySelector('[data-tool="plain"]');
    toggle.setAttribute('aria-pressed', String(plain));
    if (plain) stop(toggle);
  };
  const toPlain = (plain) => {
    localStorage.setItem(PLAIN, plain ? '1' : '');
    if (plain) {
      kept = html.value ? { html: html.value, text: area.value } : null;
      html.value = '';
      show(true);
      area.dispatchEvent(new Event('input', { bubbles: true }));
      area.focus();
      if (kept) announce(say('Plain text now, without the formatting.'));
    } else {
      const back = kept && kept.text === area.value ? kept : { text: area.value };
      show(false);
      editor.set(back);
      editor.focus();
    }
  };

  // sending: what is required is written, and pictures have arrived
  form.addEventListener('submit', (event) => {
    if (isPlain()) return;
    if (editor.busy()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      form.dataset.waits = '1';
      announce(say('A picture is on its way; then it is sent.'));
    } else if (required && !area.value.trim()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      form.dataset.lacking = '';
      announce(say('Write something first.'));
      editor.focus();
    }
  }, true);

  tools.hidden = false;
  const formatted = Boolean(!typed && area.dataset.html);
  show(localStorage.getItem(PLAIN) === '1' && !formatted);
  syncing = true;
  html.value = isPlain() ? '' : editor.html();
  editor.element.classList.toggle('blank', !editor.text() && !html.value);
  syncing = false;
  tell();
  if (hadFocus && !isPlain()) editor.focus();
  if ('canned' in area.dataset) cannedAnswers(area.closest('[data-composer]'), {
    // captured above what one writes into, so that a menu's keys come before the editor's
    element: place, after: place, before: editor.before, put: editor.put, changed: area,
  });
}

async function upload(file) {
  const body = new FormData();
  body.set('csrf', csrf);
  body.set('picture', file);
  let answer;
  try {
    answer = await fetch('/pictures', { method: 'POST', body, headers: { Accept: 'application/json' } });
  } catch { throw new Error(say('The picture could not be put in.')); }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.text || say('The picture could not be put in.'));
}
