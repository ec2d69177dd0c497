// Web vitals of the page that was loaded, told once, when it is hidden first: LCP, INP
// and TTFB in milliseconds, CLS as a number.
(() => {
  const props = {};
  const slowest = []; // durations of interactions, longest first
  let interactions = 0;
  let told;

  const reports = []; // each asks for what an observer was not told yet
  const observe = (type, each, options) => {
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(each));
    try {
      observer.observe({ type, buffered: true, ...options });
    } catch {
      return; // the browser does not know the type
    }
    reports.push(() => observer.takeRecords().forEach(each));
  };
  const start = () => {
    const [navigation] = performance.getEntriesByType('navigation');
    return (navigation && navigation.activationStart) || 0;
  };
  const since = (time) => Math.max(0, Math.round(time - start()));

  observe('largest-contentful-paint', (entry) => {
    props.LCP = since(entry.startTime);
  });

  // Shifts add up while they follow each other within a second, for five at most.
  let first = 0;
  let last = 0;
  let sum = 0;
  observe('layout-shift', (entry) => {
    if (entry.hadRecentInput) return;
    const goesOn = sum && entry.startTime - last < 1000 && entry.startTime - first < 5000;
    if (!goesOn) first = entry.startTime;
    sum = entry.value + (goesOn ? sum : 0);
    last = entry.startTime;
    props.CLS = Math.max(props.CLS || 0, Math.round(sum * 1e4) / 1e4);
  });

  // One interaction has several entries. Of each fifty the slowest is left out.
  observe(
    'event',
    (entry) => {
      if (!entry.interactionId) return;
      const known = slowest.find((other) => other.id == entry.interactionId);
      if (known) known.duration = Math.max(known.duration, entry.duration);
      else {
        interactions++;
        slowest.push({ id: entry.interactionId, duration: entry.duration });
      }
      slowest.sort((a, b) => b.duration - a.duration).splice(10);
    },
    { durationThreshold: 16 },
  );

  const tell = () => {
    if (told || document.prerendering) return;
    told = true;
    reports.forEach((report) => report());
    const [navigation] = performance.getEntriesByType('navigation');
    if (navigation) props.TTFB = since(navigation.responseStart);
    if ('LCP' in props && !('CLS' in props)) props.CLS = 0; // nothing moved
    const slow = slowest[Math.min(slowest.length - 1, Math.floor(interactions / 50))];
    if (slow) props.INP = Math.round(slow.duration);
    window.analytics('Web Vitals', { passive: true, props });
  };
  document.addEventListener('visibilitychange', () => document.hidden && tell());
  addEventListener('pagehide', tell);
})();
