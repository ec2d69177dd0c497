// Tracks clicks on links to other sites, without the query and the fragment of the address.
let clicked = (event) => {
  let link = event.target.closest('a[*|href],area[href]');
  if (event.button > 1 || !link) return;
  // The address of a link in an SVG image is not resolved.
  let url = new URL(link.href.animVal || link.href, document.baseURI);
  if (!/^http/.test(url.protocol) || url.host == location.host) return;
  send('Outbound Link: Click', {
    type: 'click',
    props: { url: (url.origin + url.pathname).slice(0, 1000) },
  });
};
on('click', clicked);
on('auxclick', clicked);
