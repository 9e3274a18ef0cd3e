// A tab keeps its agent online by a heartbeat (45 s). A page that goes away shortens that to a few seconds: the next
// page of the same tab renews it at once, a closed tab does not.
const BEAT_MS = 15000;
const KEY = 'mailroom-presence';

export function startPresence(csrf) {
  const me = document.body.dataset.me;
  if (!me) return;
  const select = document.querySelector('[data-presence] select');
  const dot = document.querySelector('[data-presence-dot]');
  const chosen = () => localStorage.getItem(`${KEY}-${me}`) || 'online';
  const body = (presence, extra) => new URLSearchParams({ csrf, presence, ...extra });

  const show = (presence) => {
    if (dot) dot.className = `dot ${presence}`;
    if (select) select.value = presence;
    for (const button of document.querySelectorAll('[data-presence-button]')) {
      button.classList.toggle('on', button.value === presence);
      button.setAttribute('aria-pressed', String(button.value === presence));
    }
  };
  const beat = async () => {
    if (chosen() === 'offline') return;
    try {
      const answer = await fetch('/presence', {
        method: 'POST', body: body(chosen(), { beat: '1' }), headers: { Accept: 'application/json' }, redirect: 'manual',
      });
      if (answer.type === 'opaqueredirect' || answer.status === 401) location.reload();
    } catch { /* offline: the next beat tries again */ }
  };
  const tabs = 'BroadcastChannel' in window ? new BroadcastChannel(KEY) : null;
  tabs?.addEventListener('message', (event) => {
    if (event.data === 'left') beat();
    else show(chosen());
  });

  const choose = async (presence) => {
    localStorage.setItem(`${KEY}-${me}`, presence);
    show(presence);
    tabs?.postMessage('changed');
    if (presence === 'offline') await fetch('/presence', { method: 'POST', body: body('offline', { beat: '1' }) });
    else await beat();
  };
  select?.addEventListener('change', () => choose(select.value));
  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-presence-button]');
    if (!button) return;
    event.preventDefault();
    choose(button.value);
  });
  window.addEventListener('pagehide', () => {
    if (chosen() === 'offline') return;
    navigator.sendBeacon('/presence', body(chosen(), { leaving: '1' }));
    tabs?.postMessage('left');
  });
  window.addEventListener('pageshow', () => { beat(); });
  const clock = new Worker(new URL('./clock.js', import.meta.url));
  clock.addEventListener('message', beat);
  clock.postMessage(BEAT_MS);
  show(chosen());
}
