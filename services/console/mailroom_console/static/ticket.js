// The conversation: frames that fit their mail, and who else is here.
import { csrf } from './console.js';
import './composer.js';

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

// Who is here: tell that one reads, and that one writes.
const place = document.querySelector('[data-composer]')?.dataset.ticket;
if (place) {
  let wrote = 0;
  document.querySelector('[data-composer]').addEventListener('input', () => { wrote = Date.now(); });
  const tell = (gone = false) => {
    if (document.hidden && !gone) return;
    const body = new URLSearchParams({ csrf, doing: gone ? 'gone' : Date.now() - wrote < 20000 ? 'writing' : 'reading' });
    fetch(`/tickets/${place}/here`, { method: 'POST', body, keepalive: true }).catch(() => {});
  };
  tell();
  setInterval(tell, 15000);
  document.querySelector('[data-composer]').addEventListener('input', () => { if (Date.now() - (tell.at ?? 0) > 8000) { tell.at = Date.now(); tell(); } });
  window.addEventListener('pagehide', () => tell(true));
}
