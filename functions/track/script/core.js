// The browser tracker. It tracks page views, navigation inside a page, custom events, and
// clicks on marked elements. It stores nothing in the browser, sends nothing for visitors
// who ask not to be tracked, and throws nothing into the page.
//
// This file and those of the extensions are the body of one function; see script.go.
// Extensions use send and on. The order of some lines is the one that compresses best.
let script = document.currentScript;
let data = script.dataset;
let site = data.site || location.hostname;
let endpoint = data.endpoint || new URL('.', script.src);

let safe =
  (action) =>
  (...event) => {
    try {
      action(...event);
    } catch {
      // The page must not notice.
    }
  };
let on = (name, listener, target = self) => target.addEventListener(name, safe(listener), true);

// If the script is loaded or run again for a site and an endpoint, it has started already.
let key = site + endpoint;
let send = self[key];
if (!send) {
  let { q: queued = [] } = self.analytics || [];
  let referrer = document.referrer;
  let page; // its address without query and fragment

  // A retry has the same body and another time of sending.
  let post = (body, delay) => {
    let again = (seconds) => {
      if (delay < 20) setTimeout(post, (seconds | 0 || delay) * 1e3, body, delay * 2);
    };
    fetch(endpoint + '?sent_at=' + Date.now(), { method: 'POST', body, keepalive: true }).then(
      (response) => {
        if (/^5|29/.test(response.status)) again(response.headers.get('Retry-After'));
      },
      again,
    );
  };

  // The fields are those of an event of POST /. An event that waits is sent a moment later,
  // since a router sets the title after the address.
  self[key] =
    self.analytics =
    send =
      safe((name, fields, wait) => {
        // Without a name, only the fields can say what the event is; without both, nothing is sent.
        if (navigator.globalPrivacyControl | (navigator.doNotTrack == 1) || !(name || fields.type))
          return;
        // The visitor has not seen a prerendered page yet.
        if (document.prerendering) return on('prerenderingchange', () => send(name, fields, wait));
        let event = {
          // A UUIDv7 with the time of the event, so that a retry is the same event. Its random
          // part is that of a blob's address, since crypto.randomUUID needs https.
          id:
            (0 + Date.now().toString(16)).replace(/.{8}/, '$&-') +
            '-7' +
            URL.createObjectURL(new Blob()).slice(-21),
          ...(name == 'pageview' ? { type: 'view' } : { name, type: 'conversion' }),
          url: (page + location.search).slice(0, 2e4),
          screen: screen.width + 'x' + screen.height,
          language: navigator.language,
          consent: 'consent' in data,
          referrer,
          tag: data.tag,
          site,
          ...fields,
        };
        let finish = () => {
          event = event && post(JSON.stringify({ title: document.title, ...event }), 1);
        };
        if (wait) {
          setTimeout(finish, 200);
          on('pagehide', finish);
        } else finish();
      });

  // A page restored from the back/forward cache counts as a new view.
  let view = (event) => {
    // With data-hash, the route after '#' is part of the path.
    let next = (location.origin + location.pathname + ('hash' in data ? '#' + location.hash : ''))
      .replace(/\/?#+!?\/?/, '/')
      .split('?')[0];
    if (page == next && !event.persisted) return;
    if (send.leave) send.leave(); // for extensions
    referrer = page || referrer;
    page = next;
    send('pageview', '', event);
  };

  view(0);
  for (let name of ['replaceState', 'pushState']) {
    let change = history[name];
    history[name] = (...state) => {
      change.apply(history, state);
      view(1);
    };
  }
  on('popstate', view); // of fragments too
  on('pageshow', view);
  on('currententrychange', view, self.navigation);

  on('click', (event) => {
    let props = {};
    let element = event.target.closest('[data-analytics-event]');
    if (!element) return;
    for (let { name, value } of element.attributes) {
      name = name.split('-analytics-prop-')[1];
      if (name) props[name] = value;
    }
    send(element.dataset.analyticsEvent, { props, type: 'click' });
  });
  for (let call of queued) send(...call);
}
