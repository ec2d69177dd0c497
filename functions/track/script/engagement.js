// How long a page was visible and had the focus, and how much of it was seen: told when
// it is hidden or left.
(() => {
  let since = 0; // when the page got the attention that it has; 0 without
  let engaged = 0; // milliseconds that were not told yet
  let seen = 0; // percent
  let told = 0; // percent

  const count = () => {
    const now = performance.now();
    if (since) engaged += now - since;
    since = !document.prerendering && !document.hidden && document.hasFocus() ? now : 0;
  };

  const look = () => {
    const { scrollTop, clientHeight, scrollHeight } = document.documentElement;
    const percent = Math.round(((scrollTop + clientHeight) / scrollHeight) * 100);
    seen = Math.max(seen, Math.min(100, percent || 0));
  };

  const tell = () => {
    count();
    const ms = Math.min(Math.round(engaged), 864e5);
    if (!ms && seen <= told) return;
    window.analytics(undefined, { type: 'engagement', engaged: ms, scroll: seen });
    engaged = 0;
    told = seen;
  };

  count();
  look();
  ['focus', 'blur', 'pageshow'].forEach((name) => addEventListener(name, count));
  ['scroll', 'resize', 'load'].forEach((name) => addEventListener(name, look, { passive: true }));
  document.addEventListener('prerenderingchange', count);
  document.addEventListener('visibilitychange', () => (document.hidden ? tell : count)());
  addEventListener('pagehide', tell);
  // The next page inside this one begins with nothing seen; its first scroll says how much.
  addEventListener('analytics-leave', () => {
    tell();
    seen = told = 0;
    requestAnimationFrame(look);
  });
})();
