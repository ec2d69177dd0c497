// Tracks clicks on links to files, without the query and the fragment of the address.
let file =
  /\.(7z|apk|avi|csv|deb|dmg|docx?|epub|exe|gz|iso|jar|key|midi?|mov|mp[34]|mpe?g|msi|od[pst]|pdf|pkg|pp[st]x?|rar|rpm|rtf|tar|txt|wav|wm[av]|xlsx?|xz|zip|zst)$/i;
let clicked = (event) => {
  let link = event.target.closest('a[*|href],area[href]');
  if (event.button > 1 || !link) return;
  // The address of a link in an SVG image is not resolved.
  let url = new URL(link.href.animVal || link.href, document.baseURI);
  if (!/^http/.test(url.protocol)) return;
  if (!link.hasAttribute('download') && !file.test(url.pathname)) return;
  send('File Download', {
    type: 'click',
    props: { url: (url.origin + url.pathname).slice(0, 1000) },
  });
};
on('click', clicked);
on('auxclick', clicked);
