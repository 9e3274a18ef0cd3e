// The writing box: recipients as chips, cautions before sending, drafts, files by drop and paste. Formatted text and canned
// answers have scripts of their own.
import { cannedAnswers, field } from './canned.js';
import { announce, csrf, say } from './console.js';

const composer = document.querySelector('[data-composer]');
if (composer) start(composer);

function start(box) {
  const chips = new Map();
  for (const input of box.querySelectorAll('input[data-chips]')) chips.set(input, makeChips(input));
  tabs(box, chips);
  copies(box);
  for (const form of box.querySelectorAll('form')) {
    keys(form);
    cautions(box, form);
    files(form);
  }
  if (box.dataset.ticket) for (const form of box.querySelectorAll('[data-draft]')) drafts(box, form);
  for (const area of box.querySelectorAll('textarea[data-canned]')) cannedAnswers(box, field(area));
}

// Reply, reply to all, forward or note without leaving the page.
function tabs(box, chips) {
  const panes = box.querySelectorAll('[data-pane]');
  for (const tab of box.querySelectorAll('[data-write]')) {
    tab.addEventListener('click', (event) => {
      event.preventDefault();
      for (const pane of panes) pane.hidden = pane.dataset.pane !== tab.dataset.write;
      for (const other of box.querySelectorAll('[data-write]')) {
        if (other === tab) other.setAttribute('aria-current', 'true'); else other.removeAttribute('aria-current');
      }
      box.classList.toggle('noting', tab.dataset.write === 'note');
      const pane = box.querySelector(`[data-pane="${tab.dataset.write}"]`);
      if (tab.dataset.write === 'reply' && pane) {
        const wanted = JSON.parse(box.dataset['all' in tab.dataset ? 'replyAll' : 'reply']);
        for (const name of ['to', 'cc']) {
          const input = pane.querySelector(`input[name="${name}"]`);
          if (input) chips.get(input).set(wanted[name]);
        }
        if (wanted.cc) showCopies(pane);
      }
      if (tab.dataset.write === 'forward') pane?.querySelector('.chip-entry')?.focus();
      else pane?.querySelector('textarea:not([hidden]), .writing:not([hidden]) > [contenteditable]')?.focus();
    });
  }
}

function showCopies(scope) {
  const row = scope.querySelector('[data-cc]');
  if (row) delete row.dataset.empty;
  const button = scope.querySelector('[data-show-cc]');
  if (button) button.hidden = true;
}

function copies(box) {
  for (const form of box.querySelectorAll('form')) {
    const row = form.querySelector('[data-cc]');
    const show = form.querySelector('[data-show-cc]');
    if (!row || !show || !('empty' in row.dataset)) continue;
    show.hidden = false;
    show.addEventListener('click', () => { showCopies(form); row.querySelector('.chip-entry').focus(); });
  }
}

// A field of mailboxes becomes chips with a place to type; the field itself stays what is sent.
function makeChips(input) {
  const holder = document.createElement('span');
  holder.className = 'chip-box';
  const list = document.createElement('ul');
  list.className = 'chip-list';
  const entry = document.createElement('input');
  entry.className = 'chip-entry';
  entry.type = 'text';
  entry.autocomplete = 'off';
  entry.placeholder = input.placeholder;
  entry.setAttribute('aria-label', input.labels?.[0]?.textContent ?? input.name);
  if (input.getAttribute('list')) entry.setAttribute('list', input.getAttribute('list'));
  const wasRequired = input.required;
  input.required = false;
  let boxes = [];
  const told = () => {
    input.value = boxes.join(', ');
    entry.placeholder = boxes.length ? '' : input.placeholder;
    entry.required = wasRequired && !boxes.length;
    list.replaceChildren(...boxes.map((text, index) => {
      const item = document.createElement('li');
      item.className = addressOf(text) ? 'chip-item' : 'chip-item broken';
      item.title = text;
      const words = document.createElement('span');
      words.textContent = nameOf(text);
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.textContent = '×';
      remove.setAttribute('aria-label', say('Remove {name}', { name: text }));
      remove.addEventListener('click', () => { boxes.splice(index, 1); told(); entry.focus(); });
      item.append(words, remove);
      return item;
    }));
    input.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const take = () => {
    const typed = split(entry.value);
    entry.value = '';
    if (typed.length) { boxes = [...boxes, ...typed.filter((t) => !boxes.includes(t))]; told(); }
  };
  entry.addEventListener('keydown', (event) => {
    if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey && entry.value.trim()) || event.key === ',' || event.key === ';') {
      event.preventDefault();
      take();
    } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) event.preventDefault();
    else if (event.key === 'Backspace' && !entry.value && boxes.length) { boxes.pop(); told(); }
  });
  entry.addEventListener('input', (event) => {
    event.stopPropagation();
    // a whole suggestion was chosen
    if (event.inputType === 'insertReplacementText' || (!event.inputType && addressOf(entry.value))) take();
  });
  entry.addEventListener('blur', take);
  entry.addEventListener('paste', () => setTimeout(take));
  input.form.addEventListener('submit', take, true);
  holder.append(list, entry);
  entry.id = input.id; // its label is that of what one types in
  input.removeAttribute('id');
  input.type = 'hidden';
  input.after(holder);
  const set = (text) => { boxes = split(text); told(); };
  set(input.value);
  return { set };
}

// Commas and semicolons part mailboxes, but not within quotes.
function split(text) {
  return (text.match(/(?:"(?:[^"\\]|\\.)*"|[^,;\n])+/g) ?? []).map((t) => t.trim()).filter(Boolean);
}
function addressOf(text) {
  const found = /<([^<>\s]+@[^<>\s]+)>\s*$/.exec(text) ?? /^([^<>\s]+@[^<>\s]+)$/.exec(text.trim());
  return found ? found[1].toLowerCase() : '';
}
function nameOf(text) {
  return text.includes('<') ? text.split('<')[0].trim().replace(/^"|"$/g, '') || addressOf(text) : text;
}

// What one should know before sending: somebody new, very many. What the server said of the mail stays.
function cautions(box, form) {
  const place = form.querySelector('[data-cautions]');
  if (!place) return;
  const known = new Set(JSON.parse(box.dataset.known || '[]'));
  const look = () => {
    for (const old of place.querySelectorAll('[data-own]')) old.remove();
    const all = ['to', 'cc', 'bcc'].flatMap((name) => split(form.querySelector(`[name="${name}"]`)?.value ?? ''));
    const fresh = all.map(addressOf).filter((a) => a && !known.has(a));
    const told = [];
    if (fresh.length) told.push(`${place.dataset.new} ${fresh.join(', ')}`);
    if (all.length > 10) told.push(place.dataset.many);
    for (const text of told) {
      const item = document.createElement('li');
      item.dataset.own = '';
      item.textContent = text;
      place.append(item);
    }
  };
  form.addEventListener('input', look);
  look();
}

// Drafts are kept on the server while one writes.
function drafts(box, form) {
  const state = form.querySelector('[data-draft-state]');
  let timer = 0;
  const save = async (keepalive = false) => {
    clearTimeout(timer);
    timer = 0;
    const fields = new URLSearchParams({ csrf, kind: form.dataset.draft });
    for (const name of ['text', 'html', 'to', 'cc', 'bcc', 'from_address_id']) {
      const field = form.querySelector(`[name="${name}"]`); // by name only: what one types in has the id
      if (field) fields.set(name, field.value);
    }
    try {
      const answer = await fetch(`/tickets/${box.dataset.ticket}/draft`, { method: 'POST', body: fields, keepalive });
      if (answer.ok) state.textContent = say('Draft kept');
    } catch { state.textContent = say('Draft not kept: no connection'); }
  };
  form.addEventListener('input', (event) => {
    if (event.target.type === 'file' || !event.isTrusted && !form.querySelector('[name="text"]').value) return;
    state.textContent = '';
    clearTimeout(timer);
    timer = setTimeout(save, 800);
  });
  form.addEventListener('submit', () => { clearTimeout(timer); timer = 0; });
  window.addEventListener('pagehide', () => { if (timer) save(true); });
}

function keys(form) {
  // What is typed into a recipients' field becomes a chip when one leaves it, and cautions may come with it: the button
  // would move away under the pointer between pressing and letting go. So pressing it does not leave the field; sending does.
  for (const button of form.querySelectorAll('button:not([type="button"])')) {
    button.addEventListener('mousedown', (event) => event.preventDefault());
  }
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });
}

// Files: chosen, dropped or pasted; each can be taken out again before sending.
function files(form) {
  const input = form.querySelector('input[type="file"]');
  const list = form.querySelector('[data-files]');
  if (!input || !list) return;
  let kept = [];
  const put = () => {
    const transfer = new DataTransfer();
    for (const file of kept) transfer.items.add(file);
    input.files = transfer.files;
    list.replaceChildren(...kept.map((file, index) => {
      const item = document.createElement('li');
      item.className = 'file-chip';
      item.append(`${file.name} `);
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.textContent = '×';
      remove.setAttribute('aria-label', say('Remove {name}', { name: file.name }));
      remove.addEventListener('click', () => { kept.splice(index, 1); put(); announce(say('{name} removed.', { name: file.name })); });
      item.append(remove);
      return item;
    }));
  };
  const add = (more) => {
    if (!more.length) return;
    kept = [...kept, ...more];
    put();
    announce(say('{n} attached.', { n: more.length }));
  };
  input.addEventListener('change', () => add([...input.files]));
  form.addEventListener('dragover', (event) => { event.preventDefault(); composer.classList.add('dropping'); });
  form.addEventListener('dragleave', () => composer.classList.remove('dropping'));
  form.addEventListener('drop', (event) => {
    event.preventDefault();
    composer.classList.remove('dropping');
    add([...event.dataTransfer.files]);
  });
  form.addEventListener('paste', (event) => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length) { event.preventDefault(); add(pasted); }
  });
}
