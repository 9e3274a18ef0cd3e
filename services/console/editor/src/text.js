// A letter as plain text and back. Lines are lines: what a text field would hold.
import { schema } from './schema.js';

export function fromText(text) {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  return schema.node('doc', null, lines.map((line) => schema.node('paragraph', null, line ? [schema.text(line)] : [])));
}

// Whether plain text says all of it.
export function isPlain(doc) {
  let plain = true;
  doc.descendants((node) => {
    if (node.marks.length || !['paragraph', 'text', 'hard_break'].includes(node.type.name)) plain = false;
    return plain;
  });
  return plain;
}

export function toText(doc) {
  return linesOf(doc).join('\n');
}

function linesOf(node) {
  if (node.isTextblock) return inline(node).split('\n');
  const found = [];
  node.forEach((child, _, index) => {
    let lines = linesOf(child);
    if (node.type.name === 'blockquote') lines = lines.map((line) => (line ? `> ${line}` : '>'));
    if (child.type.name === 'list_item') {
      const mark = node.type.name === 'ordered_list' ? `${node.attrs.order + index}. ` : '- ';
      lines = lines.map((line, at) => (at ? (line && ' '.repeat(mark.length) + line) : mark + line));
    }
    found.push(...lines);
  });
  return found;
}

function inline(block) {
  let text = '';
  let link = null; // the one that is being read, and where it began
  let begun = 0;
  const end = () => {
    if (link) {
      const words = text.slice(begun);
      if (words !== link && `mailto:${words}` !== link && `https://${words}` !== link) text += ` <${link.replace(/^mailto:/, '')}>`;
    }
    link = null;
  };
  block.forEach((node) => {
    const href = node.marks.find((mark) => mark.type.name === 'link')?.attrs.href ?? null;
    if (href !== link) {
      end();
      link = href;
      begun = text.length;
    }
    if (node.isText) text += node.text;
    else if (node.type.name === 'hard_break') text += '\n';
    else text += `[${node.attrs.alt || 'picture'}]`;
  });
  end();
  return text;
}
