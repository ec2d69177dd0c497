// Tracks pages that the server returned with status 404.
(() => {
  const [navigation] = performance.getEntriesByType('navigation');
  if (navigation && navigation.responseStatus == 404)
    window.analytics('404', {
      passive: true,
      props: { path: location.pathname.slice(0, 1000) },
    });
})();
