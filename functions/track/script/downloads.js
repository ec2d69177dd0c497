// Tracks clicks on links to files, without the query and the fragment of the address.
(() => {
  const file =
    /\.(7z|apk|avi|csv|deb|dmg|docx?|epub|exe|gz|iso|jar|key|midi?|mov|mp[34]|mpe?g|msi|od[pst]|pdf|pkg|pp[st]x?|rar|rpm|rtf|tar|txt|wav|wm[av]|xlsx?|xz|zip|zst)$/i;
  const clicked = (event) => {
    const link = event.target.closest('a[href]');
    if (event.button > 1 || !link || !/^http/.test(link.protocol)) return;
    if (!link.hasAttribute('download') && !file.test(link.pathname)) return;
    window.analytics('File Download', {
      type: 'click',
      props: { url: (link.origin + link.pathname).slice(0, 1000) },
    });
  };
  addEventListener('click', clicked, true);
  addEventListener('auxclick', clicked, true);
})();
