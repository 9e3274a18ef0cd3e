// Address forms: presets, the live check of a login, the preview of the automatic reply.
import { csrf } from './console.js';

const get = (name) => document.getElementById(`f-${name}`);

const account = document.querySelector('[data-smtp]');
if (account) {
  account.querySelector('[data-presets]').hidden = false;
  const hint = account.querySelector('[data-preset-hint]');
  for (const chip of account.querySelectorAll('[data-preset-host]')) {
    const choose = () => {
      get('host').value = chip.dataset.presetHost;
      get('port').value = chip.dataset.presetPort;
      get('tls').value = chip.dataset.presetTls;
      hint.textContent = chip.dataset.presetNote ?? '';
      for (const other of account.querySelectorAll('[data-preset-host]')) other.classList.toggle('on', other === chip);
    };
    chip.addEventListener('click', () => { choose(); get('password').focus(); });
    // The address tells the provider; what was typed already is left alone.
    get('email')?.addEventListener('change', () => {
      const domain = get('email').value.split('@').pop().trim().toLowerCase();
      if (domain && !get('host').value && chip.dataset.presetDomains.split(' ').includes(domain)) choose();
    });
  }
  const button = account.querySelector('[data-smtp-check]');
  const result = account.querySelector('[data-smtp-result]');
  button.addEventListener('click', async (event) => {
    event.preventDefault();
    button.disabled = true;
    result.replaceChildren(notice('', 'Trying to sign in…'));
    try {
      const answer = await fetch('/addresses/smtp/check', {
        method: 'POST', body: new URLSearchParams(new FormData(button.form)), headers: { Accept: 'application/json' },
      });
      const told = await answer.json();
      result.replaceChildren(notice(told.ok ? 'good' : 'bad', told.text, told.detail));
    } catch {
      result.replaceChildren(notice('bad', 'The console did not answer. Try again.'));
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
