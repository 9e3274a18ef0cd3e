// What a letter can hold. Whatever is pasted becomes this and nothing else: no colours, fonts, tables or pictures from elsewhere.
import { Schema } from 'prosemirror-model';

const PICTURE = /^(?:\/pictures\/|cid:)([0-9a-f-]{16,64})(?:@pictures\.mailroom)?$/;
const QUOTE = 'margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex';

// "" for what is no address that a letter may lead to.
export function target(typed) {
  const text = typed.trim();
  if (!text || /\s/.test(text) || text.length > 2000) return '';
  if (/^(?:https?:\/\/|mailto:|tel:)./i.test(text)) return text;
  if (/^[^:/?#]+@[^:/?#@]+\.[^:/?#@]+$/.test(text)) return `mailto:${text}`;
  return /^[^:/?#@]+\.[a-z]{2,}(?:[/?#:].*)?$/i.test(text) ? `https://${text}` : '';
}

export const cid = (id) => `cid:${id}@pictures.mailroom`;

export const schema = new Schema({
  nodes: {
    doc: { content: 'block+' },
    // a line, as mail has them: no space between two, an empty one for space
    paragraph: {
      content: 'inline*', group: 'block', parseDOM: [{ tag: 'p' }, { tag: 'div' }], toDOM: () => ['div', 0],
    },
    blockquote: {
      content: 'block+', group: 'block', defining: true, parseDOM: [{ tag: 'blockquote' }],
      toDOM: () => ['blockquote', { style: QUOTE }, 0],
    },
    bullet_list: { content: 'list_item+', group: 'block', parseDOM: [{ tag: 'ul' }], toDOM: () => ['ul', 0] },
    ordered_list: {
      content: 'list_item+', group: 'block', attrs: { order: { default: 1 } },
      parseDOM: [{ tag: 'ol', getAttrs: (dom) => ({ order: Number.parseInt(dom.getAttribute('start') ?? '1', 10) || 1 }) }],
      toDOM: (node) => (node.attrs.order === 1 ? ['ol', 0] : ['ol', { start: node.attrs.order }, 0]),
    },
    list_item: { content: 'paragraph block*', defining: true, parseDOM: [{ tag: 'li' }], toDOM: () => ['li', 0] },
    text: { group: 'inline' },
    hard_break: {
      inline: true, group: 'inline', selectable: false, parseDOM: [{ tag: 'br' }], toDOM: () => ['br'],
    },
    picture: {
      inline: true, group: 'inline', draggable: true,
      attrs: { id: {}, alt: { default: '' }, width: { default: null }, height: { default: null } },
      parseDOM: [{
        tag: 'img[src]',
        getAttrs: (dom) => {
          const found = PICTURE.exec(dom.getAttribute('src') ?? '');
          if (!found) return false;
          const size = (name) => Number.parseInt(dom.getAttribute(name) ?? '', 10) || null;
          return { id: found[1], alt: dom.getAttribute('alt') ?? '', width: size('width'), height: size('height') };
        },
      }],
      toDOM: ({ attrs }) => {
        const given = { src: `/pictures/${attrs.id}`, alt: attrs.alt };
        if (attrs.width) given.width = attrs.width;
        if (attrs.height) given.height = attrs.height;
        return ['img', given];
      },
    },
  },
  marks: {
    link: {
      attrs: { href: {} }, inclusive: false,
      parseDOM: [{
        tag: 'a[href]',
        getAttrs: (dom) => {
          const href = /^(?:https?|mailto|tel):/i.test(dom.getAttribute('href') ?? '') ? dom.getAttribute('href') : '';
          return href ? { href } : false;
        },
      }],
      toDOM: (mark) => ['a', { href: mark.attrs.href }, 0],
    },
    strong: {
      parseDOM: [{ tag: 'strong' }, { tag: 'b' }],
      toDOM: () => ['strong', 0],
    },
    em: { parseDOM: [{ tag: 'em' }, { tag: 'i' }], toDOM: () => ['em', 0] },
    underline: { parseDOM: [{ tag: 'u' }], toDOM: () => ['u', 0] },
    strike: { parseDOM: [{ tag: 's' }, { tag: 'del' }, { tag: 'strike' }], toDOM: () => ['s', 0] },
  },
});
