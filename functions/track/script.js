// The browser tracker: page views, navigation inside a page, custom events. It
// keeps nothing in the browser and sends nothing for visitors who ask not to be
// tracked.
(function () {
  'use strict';
  var script = document.currentScript;
  var site = script.getAttribute('data-site') || location.hostname;
  var endpoint = script.getAttribute('data-endpoint') || new URL('.', script.src).href;
  var waiting = (window.analytics && window.analytics.q) || [];
  var refused = navigator.doNotTrack === '1' || navigator.globalPrivacyControl;
  var referrer = document.referrer;
  var page;

  // A UUIDv7: the time in it is the time of the event, so that a retry is the same event.
  function id() {
    var bytes = crypto.getRandomValues(new Uint8Array(10));
    bytes[0] = (bytes[0] & 15) | 112;
    bytes[2] = (bytes[2] & 63) | 128;
    var hex = Date.now().toString(16).padStart(12, '0');
    bytes.forEach(function (b) {
      hex += (b + 256).toString(16).slice(1);
    });
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  function post(body, tries) {
    function again() {
      if (tries < 5) setTimeout(post, 1000 << tries, body, tries + 1);
    }
    fetch(endpoint, { method: 'POST', body: body, keepalive: true }).then(function (response) {
      if (response.status > 499) again();
    }, again);
  }

  function send(type, name, options) {
    if (refused) return;
    options = options || {};
    post(
      JSON.stringify({
        id: id(),
        site: site,
        type: type,
        name: name,
        url: location.href.slice(0, 2048),
        referrer: referrer.slice(0, 2048),
        title: document.title.slice(0, 160),
        language: (navigator.language || '').slice(0, 35),
        screen: screen.width + 'x' + screen.height,
        props: options.props,
        value: options.value,
      }),
      0,
    );
  }

  function view() {
    if (page === location.pathname) return;
    if (page) referrer = location.origin + page;
    page = location.pathname;
    send('view');
  }

  window.analytics = function (name, options) {
    send((options && options.type) || 'conversion', name, options);
  };
  waiting.forEach(function (call) {
    window.analytics.apply(null, call);
  });

  var push = history.pushState;
  history.pushState = function () {
    push.apply(this, arguments);
    view();
  };
  addEventListener('popstate', view);
  addEventListener('pageshow', function (event) {
    if (event.persisted) {
      page = '';
      view();
    }
  });
  if (document.prerendering) document.addEventListener('prerenderingchange', view, { once: true });
  else view();
})();
