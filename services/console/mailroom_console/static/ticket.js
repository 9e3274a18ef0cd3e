// The conversation and the reply editor: frames that fit their mail, drafts, files by drop and paste.
import { announce, csrf } from './console.js';

// Mail frames run no script; being of our own origin they can be measured from here. The height attribute is allowed
// by the strict CSP, a style attribute would not be.
function fit(frame) {
  const measure = () => {
    const page = frame.contentDocument;
    if (!page?.body) return;
    frame.setAttribute('height', '0');
    frame.setAttribute('height', String(Math.max(24, page.documentElement.scrollHeight, page.body.scrollHeight) + 8));
  };
  const loaded = () => {
    measure();
    const page = frame.contentDocument;
    page?.querySelectorAll('img').forEach((image) => image.addEventListener('load', measure));
    page?.querySelectorAll('details').forEach((part) => part.addEventListener('toggle', measure));
  };
  frame.dataset.fitted = '1';
  frame.addEventListener('load', loaded);
  if (frame.contentDocument?.readyState === 'complete') loaded();
}
function fitAll() {
  for (const frame of document.querySelectorAll('iframe[data-fit]:not([data-fitted])')) fit(frame);
}
fitAll();
document.addEventListener('mailroom:changed', fitAll);
let width = innerWidth;
window.addEventListener('resize', () => {
  if (innerWidth === width) return;
  width = innerWidth;
  for (const frame of document.querySelectorAll('iframe[data-fit]')) { delete frame.dataset.fitted; fit(frame); }
});

const composer = document.querySelector('[data-composer]');
if (composer) {
  // Reply or note without leaving the page.
  const panes = composer.querySelectorAll('[data-pane]');
  for (const tab of composer.querySelectorAll('[data-write]')) {
    tab.addEventListener('click', (event) => {
      event.preventDefault();
      for (const pane of panes) pane.hidden = pane.dataset.pane !== tab.dataset.write;
      for (const other of composer.querySelectorAll('[data-write]')) {
        if (other === tab) other.setAttribute('aria-current', 'true'); else other.removeAttribute('aria-current');
      }
      composer.classList.toggle('noting', tab.dataset.write === 'note');
      composer.querySelector(`[data-pane="${tab.dataset.write}"] textarea`)?.focus();
    });
  }
  const copies = composer.querySelector('[data-cc]');
  const show = composer.querySelector('[data-show-cc]');
  if (show && copies && 'empty' in copies.dataset) {
    show.hidden = false;
    show.addEventListener('click', () => {
      delete copies.dataset.empty;
      show.hidden = true;
      copies.querySelector('input').focus();
    });
  }

  // Drafts are kept on the server while one writes.
  for (const form of composer.querySelectorAll('[data-draft]')) {
    const state = form.querySelector('[data-draft-state]');
    let timer = 0;
    const save = async (keepalive = false) => {
      clearTimeout(timer);
      timer = 0;
      const fields = new URLSearchParams({ csrf, kind: form.dataset.draft });
      for (const name of ['text', 'cc', 'bcc', 'from_address_id']) {
        const field = form.elements.namedItem(name);
        if (field) fields.set(name, field.value);
      }
      try {
        const answer = await fetch(`/tickets/${composer.dataset.ticket}/draft`, { method: 'POST', body: fields, keepalive });
        if (answer.ok) state.textContent = 'Draft kept';
      } catch { state.textContent = 'Draft not kept: no connection'; }
    };
    form.addEventListener('input', (event) => {
      if (event.target.type === 'file') return;
      state.textContent = '';
      clearTimeout(timer);
      timer = setTimeout(save, 800);
    });
    form.addEventListener('submit', () => { clearTimeout(timer); timer = 0; });
    window.addEventListener('pagehide', () => { if (timer) save(true); });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
    });
  }

  // Files: chosen, dropped or pasted; each can be taken out again before sending.
  const input = composer.querySelector('input[type="file"]');
  const list = composer.querySelector('[data-files]');
  if (input && list) {
    let files = [];
    const put = () => {
      const transfer = new DataTransfer();
      for (const file of files) transfer.items.add(file);
      input.files = transfer.files;
      list.replaceChildren(...files.map((file, index) => {
        const item = document.createElement('li');
        item.className = 'file-chip';
        item.append(`${file.name} `);
        const remove = document.createElement('button');
        remove.type = 'button';
        remove.textContent = '×';
        remove.setAttribute('aria-label', `Remove ${file.name}`);
        remove.addEventListener('click', () => { files.splice(index, 1); put(); announce(`${file.name} removed.`); });
        item.append(remove);
        return item;
      }));
    };
    const add = (more) => {
      if (!more.length) return;
      files = [...files, ...more];
      put();
      announce(`${more.length} attached.`);
    };
    input.addEventListener('change', () => add([...input.files]));
    composer.addEventListener('dragover', (event) => { event.preventDefault(); composer.classList.add('dropping'); });
    composer.addEventListener('dragleave', () => composer.classList.remove('dropping'));
    composer.addEventListener('drop', (event) => {
      event.preventDefault();
      composer.classList.remove('dropping');
      add([...event.dataTransfer.files]);
    });
    composer.addEventListener('paste', (event) => {
      const pasted = [...event.clipboardData.files];
      if (pasted.length) { event.preventDefault(); add(pasted); }
    });
  }
}
