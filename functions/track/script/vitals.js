// Tracks the web vitals of the loaded page: LCP, INP and TTFB in milliseconds, and CLS as a
// number. Sends them once, when the page is first hidden.
let props = {};
let slowest = []; // durations of interactions, longest first
let interactions = 0;
let sent;

let flushes = []; // each processes the pending entries of an observer
let observe = (type, each, options) => {
  let observer = new PerformanceObserver((list) => list.getEntries().forEach(each));
  try {
    observer.observe({ type, buffered: true, ...options });
  } catch {
    return; // the browser does not know the type
  }
  flushes.push(() => observer.takeRecords().forEach(each));
};
let start = () => {
  let [navigation] = performance.getEntriesByType('navigation');
  return (navigation && navigation.activationStart) || 0;
};
let since = (time) => Math.max(0, Math.round(time - start()));

observe('largest-contentful-paint', (entry) => {
  props.LCP = since(entry.startTime);
});

// Shifts less than a second apart add up, for at most five seconds.
let first = 0;
let last = 0;
let sum = 0;
observe('layout-shift', (entry) => {
  if (entry.hadRecentInput) return;
  let continues = sum && entry.startTime - last < 1000 && entry.startTime - first < 5000;
  if (!continues) first = entry.startTime;
  sum = entry.value + (continues ? sum : 0);
  last = entry.startTime;
  props.CLS = Math.max(props.CLS || 0, Math.round(sum * 1e4) / 1e4);
});

// An interaction has several entries. INP ignores the slowest of every fifty interactions.
observe(
  'event',
  (entry) => {
    if (!entry.interactionId) return;
    let known = slowest.find((other) => other.id == entry.interactionId);
    if (known) known.duration = Math.max(known.duration, entry.duration);
    else {
      interactions++;
      slowest.push({ id: entry.interactionId, duration: entry.duration });
    }
    slowest.sort((a, b) => b.duration - a.duration).splice(10);
  },
  { durationThreshold: 16 },
);

let report = () => {
  if (sent || document.prerendering) return;
  sent = true;
  flushes.forEach((flush) => flush());
  let [navigation] = performance.getEntriesByType('navigation');
  if (navigation) props.TTFB = since(navigation.responseStart);
  if ('LCP' in props && !('CLS' in props)) props.CLS = 0; // no layout shift
  let slow = slowest[Math.min(slowest.length - 1, Math.floor(interactions / 50))];
  if (slow) props.INP = Math.round(slow.duration);
  send('Web Vitals', { passive: true, props });
};
on('visibilitychange', () => document.hidden && report());
on('pagehide', report);
