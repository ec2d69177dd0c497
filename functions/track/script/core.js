// The browser tracker. It tracks page views, navigation inside a page, custom events, and
// clicks on marked elements. It stores nothing in the browser, and sends nothing for
// visitors who ask not to be tracked.
(() => {
  const script = document.currentScript;
  const data = script.dataset;
  const endpoint = data.endpoint || new URL('.', script.src).href;
  const queued = (window.analytics || {}).q || [];
  let referrer = document.referrer;
  let page;

  // Returns a UUIDv7 with the time of the event, so that a retry is the same event.
  const id = () => {
    let hex = Date.now().toString(16).padStart(12, 0);
    crypto.getRandomValues(new Uint8Array(9)).forEach((byte) => {
      hex += (byte + 256).toString(16).slice(1);
    });
    return hex.replace(/(.{8})(.{4})(.{3})(.{3})/, '$1-$2-7$3-8$4-');
  };

  const post = (body, tries) => {
    const again = (seconds) => {
      if (tries < 5) setTimeout(post, (seconds > 0 ? seconds : 1 << tries) * 1e3, body, tries + 1);
    };
    fetch(endpoint, { method: 'POST', body, keepalive: true }).then((response) => {
      if (response.status > 499 || response.status == 429)
        again(response.headers.get('Retry-After'));
    }, again);
  };

  // With data-hash, the route after '#' is part of the path.
  const path = () =>
    'hash' in data
      ? location.pathname.replace(/\/?$/, '/') + location.hash.replace(/^#!?\/?|\?.*/g, '')
      : location.pathname;

  // The fields are those of an event of POST /.
  const send = (name, fields) => {
    if (navigator.doNotTrack == 1 || navigator.globalPrivacyControl) return;
    // The visitor has not seen a prerendered page yet.
    if (document.prerendering)
      document.addEventListener('prerenderingchange', () => send(name, fields));
    else
      post(
        JSON.stringify({
          id: id(),
          site: data.site || location.hostname,
          type: 'conversion',
          name,
          url: (location.origin + page + location.search).slice(0, 2048),
          referrer: referrer.slice(0, 2048),
          title: document.title.slice(0, 160),
          language: navigator.language,
          screen: screen.width + 'x' + screen.height,
          tag: data.tag,
          consent: 'consent' in data,
          ...fields,
        }),
        0,
      );
  };

  // A page restored from the back/forward cache counts as a new view.
  const view = (event) => {
    const next = path();
    if (page == next && !(event && event.persisted)) return;
    if (page) {
      dispatchEvent(new Event('analytics-leave')); // for extensions
      referrer = location.origin + page;
    }
    page = next;
    send(undefined, { type: 'view' });
  };

  window.analytics = send;
  view();
  queued.forEach((call) => send(...call));

  ['pushState', 'replaceState'].forEach((name) => {
    const change = history[name];
    history[name] = function (...state) {
      change.apply(this, state);
      view();
    };
  });
  ['popstate', 'hashchange', 'pageshow'].forEach((name) => addEventListener(name, view));

  addEventListener(
    'click',
    (event) => {
      const element = event.target.closest('[data-analytics-event]');
      if (!element) return;
      const props = {};
      for (const { name, value } of element.attributes)
        if (name.startsWith('data-analytics-prop-')) props[name.slice(20)] = value;
      send(element.dataset.analyticsEvent, { type: 'click', props });
    },
    true,
  );
})();
