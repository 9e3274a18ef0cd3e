// HTML from elsewhere, before it is read. Under a policy without inline style, styles are neither parsed nor
// applied, not even in a document that is never shown, and each is reported as an attack, as are event handlers. So they
// are renamed before anything parses them, and what they say of letters becomes elements.

// Tags hold no other "<": a look at each takes linear time.
export function withoutStyles(html) {
  return html
    .replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/\sstyle\s*=/gi, ' data-look=').replace(/\son[a-z]+\s*=/gi, ' data-off='))
    .replace(/<(\/?)style\b/gi, '<$1template');
}

const LOOKS = [
  ['strong', /font-weight\s*:\s*(?:bold|[6-9]\d\d)/i],
  ['em', /font-style\s*:\s*(?:italic|oblique)/i],
  ['u', /text-decoration(?:-line)?\s*:[^;]*underline/i],
  ['s', /text-decoration(?:-line)?\s*:[^;]*line-through/i],
];

export function parsed(html) {
  const { body } = new DOMParser().parseFromString(withoutStyles(html), 'text/html');
  for (const other of body.querySelectorAll('template, script, title')) other.remove();
  for (const element of body.querySelectorAll('[data-look]')) {
    const look = element.dataset.look;
    element.removeAttribute('data-look');
    // Google Docs puts all it copies into a bold element that is not bold
    if (/^(?:B|STRONG)$/.test(element.tagName) && /font-weight\s*:\s*(?:normal|400)/i.test(look)) {
      element.replaceWith(...element.childNodes);
      continue;
    }
    for (const [name, pattern] of LOOKS) {
      if (!pattern.test(look) || element.tagName === 'A' && name === 'u') continue;
      const around = body.ownerDocument.createElement(name);
      around.append(...element.childNodes);
      element.append(around);
    }
  }
  return body;
}
