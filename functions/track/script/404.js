// Tracks pages that the server returned with status 404.
let [loaded] = performance.getEntriesByType('navigation');
if (loaded && loaded.responseStatus == 404)
  send('404', {
    passive: true,
    props: { path: location.pathname.slice(0, 1000) },
  });
