// Tracks how long a page was visible and had the focus, and how much of it was seen. Sends
// an event when the page is hidden or left.
(() => {
  let since = 0; // start of the current attention; 0 if there is none
  let engaged = 0; // milliseconds not sent yet
  let seen = 0; // percent
  let sent = 0; // percent

  const count = () => {
    const now = performance.now();
    if (since) engaged += now - since;
    since = !document.prerendering && !document.hidden && document.hasFocus() ? now : 0;
  };

  const measure = () => {
    const { scrollTop, clientHeight, scrollHeight } = document.documentElement;
    const percent = Math.round(((scrollTop + clientHeight) / scrollHeight) * 100);
    seen = Math.max(seen, Math.min(100, percent || 0));
  };

  const report = () => {
    count();
    const ms = Math.min(Math.round(engaged), 864e5);
    if (!ms && seen <= sent) return;
    window.analytics(undefined, { type: 'engagement', engaged: ms, scroll: seen });
    engaged = 0;
    sent = seen;
  };

  count();
  measure();
  ['focus', 'blur', 'pageshow'].forEach((name) => addEventListener(name, count));
  ['scroll', 'resize', 'load'].forEach((name) =>
    addEventListener(name, measure, { passive: true }),
  );
  document.addEventListener('prerenderingchange', count);
  document.addEventListener('visibilitychange', () => (document.hidden ? report : count)());
  addEventListener('pagehide', report);
  // The next page inside this one starts unseen; the next frame shows how much is visible.
  addEventListener('analytics-leave', () => {
    report();
    seen = sent = 0;
    requestAnimationFrame(measure);
  });
})();
