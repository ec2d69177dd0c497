// Tracks clicks on links to other sites, without the query and the fragment of the address.
(() => {
  const clicked = (event) => {
    const link = event.target.closest('a[href]');
    if (event.button > 1 || !link || !/^http/.test(link.protocol) || link.host == location.host)
      return;
    window.analytics('Outbound Link: Click', {
      type: 'click',
      props: { url: (link.origin + link.pathname).slice(0, 1000) },
    });
  };
  addEventListener('click', clicked, true);
  addEventListener('auxclick', clicked, true);
})();
