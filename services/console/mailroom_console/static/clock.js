// A clock in a worker: the timers of a tab in the background are slowed down to one a minute, a worker's are not.
self.addEventListener('message', (event) => { setInterval(() => self.postMessage('tick'), event.data); });
