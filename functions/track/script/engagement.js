// Tracks how long a page was visible and had the focus, and how much of it was seen. Sends
// an event when the page is hidden or left.
let since = 0; // start of the current attention; 0 if there is none
let engaged = 0; // milliseconds not sent yet
let seen = 0; // percent
let sent = 0; // percent

let count = () => {
  let now = performance.now();
  if (since) engaged += now - since;
  since = !document.prerendering && !document.hidden && document.hasFocus() ? now : 0;
};

let measure = () => {
  let { scrollTop, clientHeight, scrollHeight } = document.documentElement;
  let percent = Math.round(((scrollTop + clientHeight) / scrollHeight) * 100);
  seen = Math.max(seen, Math.min(100, percent || 0));
};

let report = () => {
  count();
  let ms = Math.min(Math.round(engaged), 864e5);
  if (!ms && seen <= sent) return;
  send(undefined, { type: 'engagement', engaged: ms, scroll: seen });
  engaged = 0;
  sent = seen;
};

count();
measure();
['focus', 'blur', 'pageshow', 'prerenderingchange'].forEach((name) => on(name, count));
['scroll', 'resize', 'load'].forEach((name) => on(name, measure));
on('visibilitychange', () => (document.hidden ? report : count)());
// A page that is left is also hidden, before or afterwards. Attention ends with the first.
on('pagehide', () => {
  report();
  since = 0;
});
// The next page inside this one starts unseen; the next frame shows how much is visible.
send.leave = () => {
  report();
  seen = sent = 0;
  requestAnimationFrame(measure);
};
