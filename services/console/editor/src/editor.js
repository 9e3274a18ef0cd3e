// The editor: ProseMirror over our own schema. It knows no words and no page: `mount` puts it into an element and gives what
// the page works with.
import { baseKeymap, chainCommands, lift, toggleMark, wrapIn } from 'prosemirror-commands';
import { history, redo, undo } from 'prosemirror-history';
import { InputRule, inputRules, undoInputRule, wrappingInputRule } from 'prosemirror-inputrules';
import { keymap } from 'prosemirror-keymap';
import { DOMParser as Reader, DOMSerializer } from 'prosemirror-model';
import { liftListItem, sinkListItem, splitListItem, wrapInList } from 'prosemirror-schema-list';
import { EditorState, TextSelection } from 'prosemirror-state';
import { EditorView } from 'prosemirror-view';
import { cid, schema, target } from './schema.js';
import { parsed } from './strange.js';
import { fromText, isPlain, toText } from './text.js';

const { nodes, marks } = schema;
const WIDEST = 600; // of a picture, in pixels: what mail programs show without scrolling

// options: html, text (what it begins with), attributes (of the element that one writes into), changed(), link() (Ctrl+K),
// upload(file) → {id}; several pictures may be on their way at once.
export function mount(place, options) {
  const waiting = new Set(); // pictures on their way: where they will stand
  const view = new EditorView(place, {
    state: stateOf(read(options)),
    attributes: options.attributes,
    dispatchTransaction(transaction) {
      for (const picture of waiting) picture.at = picture.at.map(transaction.mapping);
      view.updateState(view.state.apply(transaction));
      if (transaction.docChanged) options.changed();
      else options.moved?.();
    },
    transformPastedHTML: (html) => parsed(html).innerHTML,
    handlePaste: (_, event) => pictures(event, event.clipboardData, view.state.selection.getBookmark()),
    handleDrop(_, event) {
      const found = view.posAtCoords({ left: event.clientX, top: event.clientY });
      if (!found) return false;
      return pictures(event, event.dataTransfer, TextSelection.near(view.state.doc.resolve(found.pos)).getBookmark());
    },
  });

  function pictures(event, transfer, at) {
    const files = [...(transfer?.files ?? [])].filter((file) => /^image\/(?:png|jpeg|gif|webp)$/.test(file.type));
    // what office programs copy is text, with a picture of it beside
    if (!files.length || transfer.getData('text/plain').trim()) return false;
    event.preventDefault();
    event.stopPropagation(); // it is in the letter, and no file beside it
    for (const file of files) put(file, at);
    return true;
  }

  async function put(file, at) {
    const picture = { at: at ?? view.state.selection.getBookmark() };
    waiting.add(picture);
    try {
      const [{ id }, size] = await Promise.all([options.upload(file), sizeOf(file)]);
      const node = nodes.picture.create({ id, alt: file.name || 'picture', ...size });
      const transaction = view.state.tr.setSelection(picture.at.resolve(view.state.doc)).replaceSelectionWith(node, false);
      view.dispatch(transaction.scrollIntoView());
    } catch (problem) {
      options.failed(problem);
    } finally {
      waiting.delete(picture);
      if (!waiting.size) options.settled?.();
    }
  }

  function stateOf(doc) {
    return EditorState.create({
      doc,
      plugins: [
        rules(), keymap({ Backspace: undoInputRule }), keymap(keys(options.link)), keymap(baseKeymap), history(),
      ],
    });
  }

  const run = (command) => { command(view.state, view.dispatch, view); view.focus(); };
  return {
    element: view.dom,
    focus: () => view.focus(),
    text: () => toText(view.state.doc),
    html: () => (isPlain(view.state.doc) ? '' : write(view.state.doc)),
    set: (given) => { view.updateState(stateOf(read(given))); options.changed(); },
    busy: () => waiting.size > 0,
    run: (name) => run(COMMANDS[name]),
    active: () => active(view.state),
    picture: (file) => put(file),
    link: () => linkAt(view.state)?.href ?? '',
    setLink: (typed) => run((state, dispatch) => setLink(state, dispatch, typed)),
    target,
    // What stands on the line before the cursor, and putting text in the place of its last characters.
    before: () => {
      const { $from, empty } = view.state.selection;
      return empty ? $from.parent.textBetween(0, $from.parentOffset, '\n', ' ') : '';
    },
    put: (length, text) => {
      const { from } = view.state.selection;
      const lines = fromText(text).content;
      const transaction = view.state.tr.delete(from - length, from);
      const slice = lines.childCount === 1 ? lines.firstChild.slice(0) : fromText(text).slice(1, lines.size - 1);
      view.dispatch(transaction.replaceSelection(slice).scrollIntoView());
      view.focus();
    },
  };
}

function read({ html, text }) {
  if (!html) return fromText(text ?? '');
  // a document without script and requests: only what the schema knows is taken out of it
  return Reader.fromSchema(schema).parse(parsed(html), { preserveWhitespace: true });
}

function write(doc) {
  const inert = document.implementation.createHTMLDocument('');
  const holder = inert.createElement('div');
  holder.append(DOMSerializer.fromSchema(schema).serializeFragment(doc.content, { document: inert }));
  for (const picture of holder.querySelectorAll('img')) picture.setAttribute('src', cid(picture.getAttribute('src').split('/').pop()));
  for (const line of holder.querySelectorAll('div:empty')) line.append(inert.createElement('br'));
  return holder.innerHTML;
}

async function sizeOf(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, WIDEST / bitmap.width);
    return { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
  } catch { return {}; }
}

const list = (type) => (state, dispatch, view) => {
  const { $from } = state.selection;
  for (let depth = $from.depth; depth > 0; depth -= 1) {
    const node = $from.node(depth);
    if (node.type === type) return liftListItem(nodes.list_item)(state, dispatch, view);
    if (node.type === nodes.bullet_list || node.type === nodes.ordered_list) {
      dispatch?.(state.tr.setNodeMarkup($from.before(depth), type));
      return true;
    }
  }
  return wrapInList(type)(state, dispatch, view);
};

const COMMANDS = {
  strong: toggleMark(marks.strong),
  em: toggleMark(marks.em),
  underline: toggleMark(marks.underline),
  strike: toggleMark(marks.strike),
  bullets: list(nodes.bullet_list),
  numbers: list(nodes.ordered_list),
  quote: (state, dispatch, view) => (within(state, 'blockquote') ? lift : wrapIn(nodes.blockquote))(state, dispatch, view),
  clear: (state, dispatch) => {
    const { from, to, empty } = state.selection;
    const [begin, end] = empty ? [0, state.doc.content.size] : [from, to];
    dispatch?.(state.tr.removeMark(begin, end).setStoredMarks([]));
    return true;
  },
  undo,
  redo,
};

function keys(askForLink) {
  return {
    'Mod-b': COMMANDS.strong, 'Mod-i': COMMANDS.em, 'Mod-u': COMMANDS.underline, 'Mod-Shift-x': COMMANDS.strike,
    'Mod-k': () => { askForLink(); return true; },
    'Mod-Shift-7': COMMANDS.numbers, 'Mod-Shift-8': COMMANDS.bullets, 'Mod-Shift-9': COMMANDS.quote,
    'Mod-\\': COMMANDS.clear,
    // not Tab: whoever writes by keyboard leaves the field with it
    'Mod-]': sinkListItem(nodes.list_item), 'Mod-[': liftListItem(nodes.list_item),
    Enter: splitListItem(nodes.list_item),
    'Shift-Enter': chainCommands((state, dispatch) => {
      dispatch?.(state.tr.replaceSelectionWith(nodes.hard_break.create()).scrollIntoView());
      return true;
    }),
    'Mod-z': undo, 'Mod-y': redo, 'Mod-Shift-z': redo,
  };
}

function rules() {
  const link = new InputRule(/(?:^|\s)(https?:\/\/\S{3,500}[^\s.,;:!?)\]}'"])\s$/, (state, match, start, end) => {
    const from = end - match[1].length;
    return state.tr.addMark(from, end, marks.link.create({ href: match[1] })).removeStoredMark(marks.link).insertText(' ', end);
  });
  return inputRules({
    rules: [
      link,
      wrappingInputRule(/^\s?([-*])\s$/, nodes.bullet_list),
      wrappingInputRule(/^(\d{1,3})\.\s$/, nodes.ordered_list, (match) => ({ order: Number(match[1]) }),
        (match, node) => node.childCount + node.attrs.order === Number(match[1])),
      wrappingInputRule(/^\s?>\s$/, nodes.blockquote),
    ],
  });
}

function within(state, name) {
  const { $from } = state.selection;
  for (let depth = $from.depth; depth > 0; depth -= 1) if ($from.node(depth).type.name === name) return true;
  return false;
}

function active(state) {
  const { from, to, empty, $from } = state.selection;
  const has = (type) => (empty ? Boolean(type.isInSet(state.storedMarks ?? $from.marks())) : state.doc.rangeHasMark(from, to, type));
  return {
    strong: has(marks.strong), em: has(marks.em), underline: has(marks.underline), strike: has(marks.strike),
    link: Boolean(linkAt(state)), bullets: within(state, 'bullet_list'), numbers: within(state, 'ordered_list'),
    quote: within(state, 'blockquote'),
  };
}

// The link that the cursor stands in, or the selection begins in: from, to, href.
function linkAt(state) {
  const { $from } = state.selection;
  const { parent } = $from;
  let found = null;
  let run = null;
  parent.forEach((node, offset) => {
    const href = marks.link.isInSet(node.marks)?.attrs.href;
    if (href && run?.href === href && run.to === offset) run.to = offset + node.nodeSize;
    else run = href ? { href, from: offset, to: offset + node.nodeSize } : null;
    if (run && run.from <= $from.parentOffset && $from.parentOffset <= run.to) found = run;
  });
  return found && { href: found.href, from: $from.start() + found.from, to: $from.start() + found.to };
}

// An empty one takes the link away.
function setLink(state, dispatch, typed) {
  const href = target(typed);
  const { from, to, empty } = state.selection;
  const here = linkAt(state);
  const transaction = state.tr;
  if (!href) {
    if (here && empty) transaction.removeMark(here.from, here.to, marks.link);
    else transaction.removeMark(from, to, marks.link);
  } else if (!empty) transaction.removeMark(from, to, marks.link).addMark(from, to, marks.link.create({ href }));
  else if (here) transaction.removeMark(here.from, here.to, marks.link).addMark(here.from, here.to, marks.link.create({ href }));
  else transaction.replaceSelectionWith(schema.text(typed.trim(), [marks.link.create({ href })]), false);
  dispatch?.(transaction);
  return true;
}
