// Address forms: presets, the live check of a login, the preview of the automatic reply.
import { csrf, say } from './console.js';

const get = (name) => document.getElementById(`f-${name}`);

const account = document.querySelector('[data-smtp]');
const providerField = account?.querySelector('[data-presets]');
if (providerField) {
  providerField.hidden = false;
  const hint = account.querySelector('[data-preset-hint]');
  const found = account.querySelector('[data-found]');
  const fill = (host, port, tls) => {
    get('host').value = host;
    get('port').value = port;
    get('tls').value = tls;
  };
  const known = () => [...providerField.querySelectorAll('option')].find((o) => o.value.toLowerCase() === get('preset').value.trim().toLowerCase());
  get('preset').addEventListener('input', () => {
    const chosen = known();
    hint.textContent = chosen?.dataset.note ?? '';
    if (chosen) fill(chosen.dataset.host, chosen.dataset.port, chosen.dataset.tls);
  });
  // The address tells the rest. What was found is shown with where it comes from; what was typed already is left alone.
  let filled = '';
  const discover = async () => {
    const email = get('email').value.trim();
    if (!email.includes('@') || email === filled) return;
    filled = email;
    found.hidden = false;
    found.textContent = say('Looking for its server…');
    let told;
    try {
      const answer = await fetch('/addresses/smtp/discover', { method: 'POST', body: new URLSearchParams({ csrf, email }) });
      told = await answer.json();
    } catch { told = { found: false }; }
    if (get('email').value.trim() !== email) return;
    if (!told.found) {
      found.textContent = told.text ?? say('Its server was not found: type it below, or choose a provider.');
      return;
    }
    found.textContent = say('Found: {name}, {host} ({source}).', told);
    hint.textContent = told.note ?? '';
    if (!get('host').value || get('host').dataset.filled) {
      fill(told.host, told.port, told.tls);
      get('host').dataset.filled = '1';
      get('preset').value = told.name;
      if (told.username && told.username !== email) get('username').value = told.username;
    }
    for (const other of account.querySelectorAll('[data-sign-in]')) {
      const fits = other.dataset.signIn === told.sign_in;
      other.hidden = Boolean(told.sign_in) && !fits;
      other.classList.toggle('primary', fits);
    }
  };
  get('email')?.addEventListener('change', discover);
  get('host').addEventListener('input', () => { delete get('host').dataset.filled; });
  if (get('email')?.value && !get('host').value) discover();
  const button = account.querySelector('[data-smtp-check]');
  const result = account.querySelector('[data-smtp-result]');
  button.addEventListener('click', async (event) => {
    event.preventDefault();
    button.disabled = true;
    result.replaceChildren(notice('', say('Trying to sign in…')));
    try {
      const answer = await fetch('/addresses/smtp/check', {
        method: 'POST', body: new URLSearchParams(new FormData(button.form)), headers: { Accept: 'application/json' },
      });
      const told = await answer.json();
      result.replaceChildren(notice(told.ok ? 'good' : 'bad', told.text, told.detail));
    } catch {
      result.replaceChildren(notice('bad', say('The console did not answer. Try again.')));
    } finally { button.disabled = false; }
  });
}

function notice(kind, text, detail) {
  const box = document.createElement('div');
  box.className = `notice ${kind}`;
  const inner = document.createElement('div');
  inner.className = 'grow';
  for (const line of [text, detail]) {
    if (!line) continue;
    const paragraph = document.createElement('p');
    paragraph.textContent = line;
    inner.append(paragraph);
  }
  box.append(inner);
  return box;
}

const reply = document.querySelector('[data-auto-reply]');
if (reply) {
  const toggle = reply.querySelector('[data-toggles]');
  const part = document.getElementById(toggle.dataset.toggles);
  const shown = () => { part.hidden = !toggle.checked; };
  toggle.addEventListener('change', shown);
  shown();
  let last = get('auto_content');
  for (const field of reply.querySelectorAll('[data-template]')) field.addEventListener('focus', () => { last = field; });
  for (const chip of reply.querySelectorAll('[data-insert]')) {
    chip.addEventListener('click', () => {
      last.setRangeText(chip.dataset.insert, last.selectionStart, last.selectionEnd, 'end');
      last.focus();
      preview();
    });
  }
  let timer = 0;
  const preview = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const body = new URLSearchParams({
        csrf, subject: get('auto_subject').value, content: get('auto_content').value, queue_id: get('queue_id')?.value ?? '',
      });
      const answer = await fetch(reply.dataset.preview, { method: 'POST', body });
      if (!answer.ok) return;
      const told = await answer.json();
      reply.querySelector('[data-preview-subject]').textContent = told.subject;
      reply.querySelector('[data-preview-text]').textContent = told.text;
      reply.querySelector('[data-preview-error]').textContent = told.error ?? '';
    }, 300);
  };
  reply.addEventListener('input', preview);
}
