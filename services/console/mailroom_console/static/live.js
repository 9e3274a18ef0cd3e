// Live regions: when the server says that something changed, the page is fetched again and the regions that differ are
// put in place. Focus, scrolling and everything outside the regions stay as they are.
// At least each REST_MS the page is asked for anew while things happen: a change waits for no silence, which under load never
// comes, and a busy system is not asked more often than that.
const GATHER_MS = 250;
const REST_MS = 1000;
const ELSEWHERE_MS = 2000;
const KINDS = ['ticket', 'address', 'presence', 'queue', 'agent', 'activity', 'here', 'reload'];

export function startLive(announce) {
  if (!document.querySelector('[data-live]') || !('EventSource' in window)) return;
  let timer = 0;
  let due = Infinity; // when the next look is, unless something more urgent comes
  let busy = false;
  let wanted = Infinity; // a look that was asked for during one
  let rested = 0; // until when it rests after the last look, for what is not the page's own

  const refresh = async () => {
    timer = 0;
    due = Infinity;
    busy = true;
    const began = Date.now();
    const text = await fetchPage();
    busy = false;
    rested = Math.max(began + REST_MS, Date.now() + GATHER_MS);
    if (wanted < Infinity) { const at = wanted; wanted = Infinity; within(Math.max(0, at - Date.now()), true); }
    if (text !== null) apply(new DOMParser().parseFromString(text, 'text/html'), announce);
  };
  const within = (ms, own = false) => {
    const at = own ? Date.now() + ms : Math.max(Date.now() + ms, rested);
    if (busy) { wanted = Math.min(wanted, at); return; }
    if (at >= due) return; // it is looked at before: a later event puts nothing off
    clearTimeout(timer);
    due = at;
    timer = setTimeout(refresh, at - Date.now());
  };
  const soon = () => within(GATHER_MS);

  // A browser keeps six connections to a site at most, so only tabs that are looked at have one of their own.
  let source = null;
  const connect = () => {
    if (document.hidden || source) return;
    source = new EventSource('/live');
    // Also the first time: something may have happened between the page's making and this connection.
    source.addEventListener('open', soon);
    for (const kind of KINDS) source.addEventListener(kind, (event) => heard(kind, event.data));
  };
  const disconnect = () => { source?.close(); source = null; };
  const heard = (kind, id) => {
    const ticket = document.querySelector('[data-ticket]')?.dataset.ticket;
    if (kind === 'ticket' && ticket && id === ticket) within(GATHER_MS, true);
    else if (kind === 'ticket' && ticket && id) within(ELSEWHERE_MS); // only the numbers in the rail
    else soon();
  };
  document.addEventListener('visibilitychange', () => { if (document.hidden) disconnect(); else connect(); });
  window.addEventListener('pagehide', disconnect);
  window.addEventListener('pageshow', connect);
  connect();
  setInterval(() => { if (!document.hidden && document.querySelector('time')) soon(); }, 60000);
}

// The page as it is now, or null when it cannot be had: the event stream connects again by itself and asks anew.
async function fetchPage() {
  try {
    const answer = await fetch(location.href, { headers: { 'X-Mailroom-Live': '1' }, signal: AbortSignal.timeout(15000) });
    if (answer.redirected && new URL(answer.url).pathname === '/sign-in') { location.reload(); return null; }
    return answer.ok ? await answer.text() : null;
  } catch { return null; }
}

function apply(fresh, announce) {
  for (const region of document.querySelectorAll('[data-live]')) {
    const other = fresh.querySelector(`[data-live="${region.dataset.live}"]`);
    if (!other || region.innerHTML === other.innerHTML || bare(region) === bare(other)) continue;
    if (region.contains(document.activeElement) && document.activeElement.matches('select, input, textarea')) continue;
    const changed = 'liveItems' in region.dataset || region.tagName === 'UL' || region.tagName === 'TBODY'
      ? reconcile(region, other) : replace(region, other);
    if (changed && region.dataset.announce) announce(region.dataset.announce);
  }
}

function replace(region, other) {
  const adopted = document.importNode(other, true);
  keepOpen(region, adopted);
  region.replaceWith(adopted);
  return textOf(region) !== textOf(adopted);
}

// Children are known by their id; only those that differ are exchanged, so that open mails stay open.
function reconcile(region, other) {
  if (region.tagName !== other.tagName) return replace(region, other);
  const here = new Map([...region.children].filter((c) => c.id).map((c) => [c.id, c]));
  let changed = false;
  let place = region.firstElementChild;
  for (const wanted of [...other.children]) {
    let child = here.get(wanted.id);
    here.delete(wanted.id);
    if (!child) {
      child = document.importNode(wanted, true);
      child.classList.add('fresh', 'flash');
      region.insertBefore(child, place);
      changed = true;
    } else {
      if (bare(child) !== bare(wanted)) {
        const adopted = document.importNode(wanted, true);
        keepFrame(child, adopted);
        keepOpen(child, adopted);
        if (child === place) place = child.nextElementSibling;
        changed ||= textOf(child) !== textOf(adopted);
        region.insertBefore(adopted, place);
        child.remove();
        child = adopted;
        continue;
      }
      if (child !== place) region.insertBefore(child, place);
      else place = place.nextElementSibling;
    }
  }
  for (const gone of here.values()) { gone.remove(); changed = true; }
  document.dispatchEvent(new CustomEvent('mailroom:changed'));
  return changed;
}

// The same markup but for what script added (open details, frame heights), for the marks of forms and for times that only grew older.
function bare(element) {
  const copy = element.cloneNode(true);
  copy.classList.remove('fresh', 'flash');
  if (!copy.className) copy.removeAttribute('class');
  for (const part of copy.querySelectorAll('[open]')) part.removeAttribute('open');
  for (const mark of copy.querySelectorAll('[name="once"]')) mark.removeAttribute('value'); // another one each time
  for (const frame of copy.querySelectorAll('iframe')) { frame.removeAttribute('height'); frame.removeAttribute('data-fitted'); }
  return copy.outerHTML;
}

function textOf(element) {
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll('time')) time.remove();
  return copy.textContent.replace(/\s+/g, ' ').trim();
}

// What somebody has opened stays open.
function keepOpen(before, after) {
  const old = [...before.querySelectorAll('details')];
  [...after.querySelectorAll('details')].forEach((part, index) => {
    const same = old[index]?.firstElementChild?.textContent === part.firstElementChild?.textContent;
    if (same && old[index].open) part.open = true;
  });
}

function keepFrame(before, after) {
  for (const frame of after.querySelectorAll('iframe')) {
    const old = before.querySelector(`iframe[src="${CSS.escape(frame.getAttribute('src'))}"]`);
    if (old?.hasAttribute('height')) frame.setAttribute('height', old.getAttribute('height'));
  }
}
